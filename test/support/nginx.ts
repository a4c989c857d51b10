/** nginx in front of a provider: rate limits of its own, and workers that are killed. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { provideServers } from "../../scripts/servers.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"

export interface NginxOptions {
  readonly protocol: "http/1.1" | "h2"
  /** `limit_req` in requests a second, with the burst that is let through. */
  readonly limit?: { readonly rate: number; readonly burst: number } | undefined
  /** When the workers are killed, in milliseconds. */
  readonly kills?: ReadonlyArray<number> | undefined
}

/** A request that nginx answered itself. */
export interface Turned {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly row: number
  readonly status: number
}

export interface Nginx {
  /** Sends SIGKILL to all workers; the master starts others. */
  readonly kill: () => Promise<void>
  /** Ends it. The requests that it did not pass on. */
  readonly stop: () => Promise<ReadonlyArray<Turned>>
}

const command = "/usr/sbin/nginx"

const config = (dir: string, port: number, upstream: number, { limit, protocol }: NginxOptions): string => `
daemon off;
worker_processes 2;
error_log ${dir}/error.log warn;
pid ${dir}/nginx.pid;
events { worker_connections 8192; }
http {
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  map $upstream_addr $own { "" 1; default 0; }
  log_format turned "$msec $status $http_x_row";
  access_log ${dir}/turned.log turned if=$own;
  keepalive_requests 1000000;
  ${limit === undefined ? "" : `limit_req_zone $server_port zone=all:1m rate=${limit.rate}r/s;`}
  upstream provider { server 127.0.0.1:${upstream}; keepalive 512; }
  server {
    listen 127.0.0.1:${port}${protocol === "h2" ? " ssl" : ""} backlog=4096;
    ${protocol === "h2" ? `http2 on; ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem;` : ""}
    location / {
      ${limit === undefined ? "" : `limit_req zone=all burst=${limit.burst} nodelay;`}
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      resolve(true)
      socket.destroy()
    })
    socket.on("error", () => resolve(false))
  })

const workersOf = async (master: ChildProcess): Promise<ReadonlyArray<number>> =>
  (await readFile(`/proc/${master.pid}/task/${master.pid}/children`, "utf8")).trim().split(" ").map(Number)

const turnedIn = async (dir: string): Promise<ReadonlyArray<Turned>> => {
  const text = await readFile(join(dir, "turned.log"), "utf8").catch(() => "")
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [at, status, row] = line.split(" ").map(Number)
      return { at: at! * 1000, row: row!, status: status! }
    })
    .filter(({ row }) => !Number.isNaN(row))
}

/** Starts nginx on `port`, before a provider that listens on `upstream`. */
export const startNginx = async (port: number, upstream: number, options: NginxOptions): Promise<Nginx> => {
  provideServers()
  const dir = await mkdtemp(join(tmpdir(), "clientele-nginx-"))
  await writeFile(join(dir, "cert.pem"), certificate.cert)
  await writeFile(join(dir, "key.pem"), certificate.key)
  await writeFile(join(dir, "nginx.conf"), config(dir, port, upstream, options))
  const master = spawn(command, ["-c", join(dir, "nginx.conf"), "-e", join(dir, "error.log")], { stdio: "ignore" })
  const ended = new Promise((resolve) => master.once("exit", resolve))
  for (let i = 0; i < 200 && !(await listens(port)); i++) {
    if (master.exitCode !== null) throw new Error(`nginx ended: ${await readFile(join(dir, "error.log"), "utf8")}`)
    await sleep(20)
  }
  return {
    kill: async () => {
      for (const pid of await workersOf(master)) process.kill(pid, "SIGKILL")
    },
    stop: async () => {
      master.kill("SIGTERM")
      await ended
      const turned = await turnedIn(dir)
      await rm(dir, { recursive: true, force: true })
      return turned
    }
  }
}
