// oxlint-disable unicorn/consistent-function-scoping -- a test reads best with its server inside it
import type { Server, Socket } from "node:net"
import { describe, expect, it } from "vitest"

import { WireError } from "../../src/internal/wire/errors.ts"
import { eventually, failureOf, readAll, withSite, type Handler } from "./support.ts"

/** Answers `/to/<status>` with a redirect to `location`, and everything else with what it got. */
const site =
  (location: () => string): Handler =>
  (request, response) => {
    const status = /^\/to\/(\d+)/.exec(request.url!)?.[1]
    void readAll(request).then((body) => {
      if (status !== undefined) response.writeHead(Number(status), { location: location() }).end("moved")
      else {
        const { headers, method, url } = request
        response.end(JSON.stringify({ method, url, body: body.toString(), headers }))
      }
    })
  }

interface Echo {
  readonly method: string
  readonly url: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

const post = { method: "POST", body: "hi", headers: { authorization: "Bearer k", "content-type": "a/b" } }

describe("redirects within an origin", () => {
  it.each([
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [303, "PUT", "GET"],
    [301, "PUT", "PUT"],
    [307, "POST", "POST"],
    [308, "POST", "POST"]
  ])("of status %i turn %s into %s", async (status, method, becomes) => {
    await withSite(
      site(() => "../there?a=1#part"),
      async ({ ended, fetch, inFlight, origin }) => {
        const response = await fetch(`${origin}/to/${status}`, { ...post, method })
        expect(response).toMatchObject({ redirected: true, url: `${origin}/there?a=1`, status: 200 })
        const echo = (await response.json()) as Echo
        expect(echo).toMatchObject({ method: becomes, url: "/there?a=1", body: becomes === "GET" ? "" : "hi" })
        expect(echo.headers["authorization"]).toBe("Bearer k")
        expect(echo.headers["content-type"]).toBe(becomes === "GET" ? undefined : "a/b")
        expect([ended(), inFlight()]).toEqual([1, 0])
      }
    )
  })

  it("are followed five times and no more", async () => {
    let seen = 0
    const handler: Handler = (request, response) => {
      const left = Number(request.url!.slice(1))
      seen++
      if (left === 0) response.end("there")
      else response.writeHead(302, { location: `/${left - 1}` }).end()
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      expect(await (await fetch(`${origin}/5`)).text()).toBe("there")
      seen = 0
      expect(await failureOf(fetch(`${origin}/100`))).toBeInstanceOf(WireError)
      expect([seen, ended()]).toEqual([6, 2])
    })
  })

  it("of a streamed upload fail, since it was consumed", async () => {
    await withSite(
      site(() => "/there"),
      async ({ ended, fetch, origin }) => {
        const body = new Blob(["hi"]).stream()
        const error = await failureOf(fetch(`${origin}/to/307`, { ...post, body, duplex: "half" }))
        expect(error).toMatchObject({ name: "WireError", reason: "Malformed", processed: "yes" })
        expect(ended()).toBe(1)
      }
    )
  })

  it("are left to a caller with redirect: manual, or are an error", async () => {
    await withSite(
      site(() => "/there"),
      async ({ ended, fetch, inFlight, origin }) => {
        const response = await fetch(`${origin}/to/307`, { redirect: "manual" })
        expect(response).toMatchObject({ status: 307, redirected: false })
        expect(response.headers.get("location")).toBe("/there")
        await response.text()
        expect(await failureOf(fetch(`${origin}/to/307`, { redirect: "error" }))).toBeInstanceOf(WireError)
        expect([ended(), inFlight()]).toEqual([2, 0])
      }
    )
  })

  it("leave nothing open, even if their own body has no end", async () => {
    const handler: Handler = ({ url }, response) => {
      if (url === "/") response.writeHead(302, { location: "/there" }).write("moved")
      else response.end("there")
    }
    await withSite(handler, async ({ aborts, ended, fetch, inFlight, origin }) => {
      expect(await (await fetch(origin)).text()).toBe("there")
      await eventually("the first is given up", () => aborts() === 1)
      expect([ended(), inFlight()]).toEqual([1, 0])
    })
  })

  it("do not make an answer of an HTML page, whole or streamed", async () => {
    const handler: Handler = (request, response) => {
      if (request.method === "POST") response.writeHead(302, { location: "/login" }).end()
      else response.writeHead(200, { "content-type": "text/html" }).end("<title>Who are you?</title>")
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      for (const body of ['{"model":"m"}', '{"model":"m","stream":true}']) {
        const error = await failureOf(fetch(`${origin}/v1/chat/completions`, { ...post, body }))
        expect(error).toMatchObject({ reason: "Malformed", processed: "yes" })
      }
      expect(ended()).toBe(2)
    })
  })

  it.each([
    [303, "maybe"],
    [307, "no"]
  ])("of status %i whose next hop can't connect were perhaps processed: %s", async (status, processed) => {
    const handler: Handler = (request, response) => {
      // Nobody is there any more when the next hop is sent.
      ;(request.socket as Socket & { readonly server: Server }).server.close()
      response.writeHead(status, { location: "/there", connection: "close" }).end()
    }
    await withSite(handler, async ({ fetch, origin }) => {
      const error = await failureOf(fetch(`${origin}/v1/batches`, post))
      expect(error).toMatchObject({ reason: "Connection", processed })
    })
  })

  it("without an address are the answer", async () => {
    await withSite(
      (_, response) => void response.writeHead(304).end(),
      async ({ fetch, origin }) => {
        expect((await fetch(origin)).status).toBe(304)
      }
    )
    await withSite(
      (_, response) => void response.writeHead(302).end("?"),
      async ({ fetch, origin }) => {
        expect((await fetch(origin)).status).toBe(302)
      }
    )
  })
})

describe("redirects to another origin", () => {
  it("are not followed: nothing is sent there, and the error names both origins and no secret", async () => {
    let hits = 0
    await withSite(
      (_, response) => {
        hits++
        response.end()
      },
      async (other) => {
        const target = other.origin.replace("http://", "http://user:secret@")
        for (const location of [`${other.origin}/v1?key=secret`, `${target}/v1`, "https://[bad", "ftp://x/secret"]) {
          await withSite(
            site(() => location),
            async ({ ended, fetch, inFlight, origin }) => {
              const error = (await failureOf(fetch(`${origin}/to/307?key=secret`, post))) as WireError
              const elsewhere = location.endsWith("key=secret")
              expect(error).toMatchObject({
                name: "WireError",
                reason: elsewhere ? "Refused" : "Malformed",
                processed: "yes"
              })
              expect(error.message).toContain(origin)
              expect(error.message).not.toContain("secret")
              if (elsewhere) {
                expect(error.message).toContain(other.origin)
                expect(error.message).toContain("baseURL")
              }
              expect([ended(), inFlight()]).toEqual([1, 0])
            }
          )
        }
      }
    )
    expect(hits).toBe(0)
  })

  it("cancel the response, even if its body has no end", async () => {
    await withSite(
      (_, response) => void response.writeHead(307, { location: "https://other.example/" }).write("moved"),
      async ({ aborts, ended, fetch, inFlight, origin }) => {
        expect(await failureOf(fetch(origin))).toBeInstanceOf(WireError)
        expect([ended(), inFlight()]).toEqual([1, 0])
        await eventually("the server sees the abort", () => aborts() === 1)
      }
    )
  })
})
