/** Responses of HTTP/1.1, read whole, cut anywhere, and beside undici's own parser. */
import * as net from "node:net"
import fc from "fast-check"
import { Client } from "undici"
import { expect, test } from "vitest"
import { ProtocolError } from "../../../src/internal/transport/h1/responseHead.ts"
import { ResponseReader } from "../../../src/internal/transport/h1/responseReader.ts"
import { transportLimits } from "../../../src/internal/util/bounds.ts"

interface Seen {
  readonly status: number
  readonly headers: ReadonlyArray<string>
  readonly body: string
}

const read = (pieces: ReadonlyArray<string>, { isClosed = true, method = "GET" } = {}) => {
  let status = 0
  let headers: ReadonlyArray<string> = []
  let body = ""
  let keeps = false
  let seen: Seen | undefined
  let idle: number | undefined
  const reader = new ResponseReader(
    {
      onHead: (head) => {
        if (head.status < 200) return
        status = head.status
        headers = head.headers.map(([name, value]) => `${name}: ${value}`)
        keeps = head.keepsAlive
        idle = head.idle
      },
      onData: (chunk) => (body += Buffer.from(chunk).toString("latin1")),
      onEnd: () => (seen = { status, headers: headers.toSorted(), body })
    },
    transportLimits
  )
  reader.begin(method)
  let rest = ""
  let error: unknown
  try {
    for (const piece of pieces) rest += reader.read(Buffer.from(piece, "latin1")).toString("latin1")
    if (isClosed) reader.finish()
  } catch (thrown) {
    error = thrown
  }
  return { seen, keeps, idle, rest, error, begun: status, body }
}

const ok = "HTTP/1.1 200 OK\r\n"

const good: ReadonlyArray<readonly [name: string, bytes: string, body: string, keeps: boolean]> = [
  ["a length", `${ok}Content-Length: 5\r\n\r\nhello`, "hello", true],
  ["a length of 0", `${ok}content-length: 0\r\n\r\n`, "", true],
  [
    "chunks",
    `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA;x="y"\r\n, world!!!\r\n0\r\n\r\n`,
    "hello, world!!!",
    true
  ],
  ["chunks and trailers", `${ok}transfer-encoding: Chunked\r\n\r\n1 \r\na\r\n0\r\nx-sum: 1\r\n\r\n`, "a", true],
  [
    "chunks whose sizes have leading zeros",
    `${ok}transfer-encoding: chunked\r\n\r\n${"5".padStart(16, "0")}\r\nhello\r\n${"0".repeat(16)}\r\n\r\n`,
    "hello",
    true
  ],
  ["the connection's end", `${ok}\r\nall of it`, "all of it", false],
  ["Connection: close", `${ok}connection: foo, Close\r\ncontent-length: 1\r\n\r\na`, "a", false],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", "a", false],
  ["HTTP/1.0 that keeps alive", "HTTP/1.0 200\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na", "a", true],
  ["no reason phrase", "HTTP/1.1 200\r\ncontent-length: 1\r\n\r\na", "a", true],
  [
    "100 and 103 before it",
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n${ok}content-length: 1\r\n\r\na`,
    "a",
    true
  ],
  ["an empty line before it", `\r\n${ok}content-length: 1\r\n\r\na`, "a", true],
  ["204", "HTTP/1.1 204 None\r\n\r\n", "", true],
  ["204 that announces a body", "HTTP/1.1 204 None\r\ncontent-length: 5\r\n\r\n", "", false],
  ["304 with the length of what it is not", "HTTP/1.1 304 Same\r\ntransfer-encoding: chunked\r\n\r\n", "", false]
]

const bad: ReadonlyArray<readonly [name: string, bytes: string]> = [
  ["no HTTP", "SSH-2.0-OpenSSH\r\n"],
  ["HTTP/2", "HTTP/2 200 OK\r\n\r\n"],
  ["a status that is no number", "HTTP/1.1 2x0 OK\r\n\r\n"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
  ["a line feed alone", "HTTP/1.1 200 OK\ncontent-length: 1\n\na"],
  ["a line feed alone in a head that is not whole", `${ok}a: b\nc`],
  ["a header without a colon", `${ok}content-length\r\n\r\n`],
  ["a space before the colon", `${ok}content-length : 1\r\n\r\na`],
  ["a header without a name", `${ok}: 1\r\n\r\na`],
  ["a space before the first header", `${ok} a: b\r\n\r\n`],
  ["a carriage return in a value", `${ok}a: b\rc\r\ncontent-length: 0\r\n\r\n`],
  ["NUL in a value", `${ok}a: b\0c\r\ncontent-length: 0\r\n\r\n`],
  ["two lengths", `${ok}content-length: 1\r\ncontent-length: 2\r\n\r\nab`],
  ["a length in a list", `${ok}content-length: 1, 1\r\n\r\na`],
  ["a length with a sign", `${ok}content-length: +1\r\n\r\na`],
  ["a length beyond 2^53", `${ok}content-length: 99999999999999999999\r\n\r\na`],
  ["a length and chunks", `${ok}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`],
  ["chunked, and then something else", `${ok}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
  ["chunked twice", `${ok}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ["a chunk without a size", `${ok}transfer-encoding: chunked\r\n\r\n\r\n`],
  ["a chunk with a prefix", `${ok}transfer-encoding: chunked\r\n\r\n0x1\r\na\r\n`],
  ["a chunk whose size is beyond 2^52", `${ok}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n`],
  ["a chunk that is longer than it says", `${ok}transfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n`],
  ["a chunk whose line ends without CR", `${ok}transfer-encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n`],
  ["a chunk whose line never ends", `${ok}transfer-encoding: chunked\r\n\r\n1;${"x".repeat(5000)}`],
  ["a trailer that is none", `${ok}transfer-encoding: chunked\r\n\r\n0\r\nnone\r\n\r\n`],
  ["trailers without end", `${ok}transfer-encoding: chunked\r\n\r\n0\r\n${"a: b\r\n".repeat(5000)}`],
  ["101", "HTTP/1.1 101 Switching\r\nupgrade: h2c\r\n\r\n"],
  ["a head without end", `${ok}${"a: b\r\n".repeat(10_000)}`]
]

const cuts: ReadonlyArray<readonly [name: string, bytes: string]> = [
  ["nothing", ""],
  ["half a head", `${ok}content-le`],
  ["half a body", `${ok}content-length: 5\r\n\r\nhel`],
  ["half a chunk", `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhel`],
  ["chunks without the last", `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`],
  ["half of the last chunk", `${ok}transfer-encoding: chunked\r\n\r\n0\r\n`],
  ["100 alone", "HTTP/1.1 100 Continue\r\n\r\n"]
]

const bytewise = (bytes: string): ReadonlyArray<string> => Array.from(bytes)

for (const [name, bytes, body, keeps] of good) {
  test(`a response is whole and the same, at once and byte by byte: ${name}`, () => {
    const whole = read([bytes])
    expect(whole).toMatchObject({ error: undefined, keeps, rest: "", seen: { body } })
    expect(read(bytewise(bytes))).toEqual(whole)
  })
}

for (const [name, bytes] of bad) {
  test(`bytes are no response, at once and byte by byte: ${name}`, () => {
    for (const pieces of [[bytes], bytewise(bytes)]) {
      const { error, seen } = read(pieces, { isClosed: false })
      expect({ isMalformed: error instanceof ProtocolError, seen }).toEqual({ isMalformed: true, seen: undefined })
    }
  })
}

for (const [name, bytes] of cuts) {
  test(`a response that the connection's end cuts is not whole: ${name}`, () => {
    const { error, seen } = read([bytes])
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(ProtocolError)
    expect(seen).toBeUndefined()
  })
}

test("a response to HEAD ends with its head, whatever its Content-Length", () => {
  const whole = read([`${ok}content-length: 500\r\n\r\n`], { method: "HEAD", isClosed: false })
  expect(whole).toMatchObject({ keeps: true, seen: { body: "" } })
})

test("bytes after a response are given back", () => {
  expect(read([`${ok}content-length: 1\r\n\r\nab`]).rest).toBe("b")
  expect(read([`${ok}transfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP`]).rest).toBe("HTTP")
})

/** Data as the sink gets it, and the error that ends it. */
const dataOf = (bytes: string) => {
  const data: Array<string> = []
  const onData = (chunk: Uint8Array) => void data.push(Buffer.from(chunk).toString("latin1"))
  const reader = new ResponseReader({ onHead: () => undefined, onData, onEnd: () => undefined }, transportLimits)
  reader.begin("GET")
  let error: unknown
  try {
    reader.read(Buffer.from(bytes, "latin1"))
  } catch (thrown) {
    error = thrown
  }
  return { data, error }
}

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

const chunked = `${ok}transfer-encoding: chunked\r\n\r\n`

test("small chunks that have come together are given as one, and a long one apart", () => {
  const long = "y".repeat(10_000)
  const { data, error } = dataOf(`${chunked}${["a", "bc", "def", long, "g", "h"].map(chunk).join("")}3\r\nij`)
  expect(error).toBeUndefined()
  expect(data).toEqual(["abcdef", long, "ghij"])
})

test("chunks before an invalid one are given", () => {
  for (const invalid of ["x\r\n", "1\r\ngg\r\n", "-1\r\n"]) {
    const { data, error } = dataOf(`${chunked}${["abc", "def"].map(chunk).join("")}${invalid}`)
    expect(error).toBeInstanceOf(ProtocolError)
    expect(data.join("")).toMatch(/^abcdefg?$/)
  }
})

test("a value that goes on in the next line is one, with a space", () => {
  expect(read([`${ok}a: b\r\n \t c\r\ncontent-length: 0\r\n\r\n`]).seen?.headers).toContain("a: b c")
})

test("a server's Keep-Alive hint is in seconds", () => {
  expect(read([`${ok}keep-alive: max=5, timeout=15\r\ncontent-length: 0\r\n\r\n`]).idle).toBe(15_000)
})

/** Reads by undici, whose parser is llhttp; that leaves white space behind values, and takes HTTP/2.0. */
const byUndici = async (bytes: string): Promise<Seen | undefined> => {
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined)
    socket.once("data", () => socket.end(Buffer.from(bytes, "latin1")))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as net.AddressInfo
  const client = new Client(`http://127.0.0.1:${port}`)
  try {
    const { body, headers, statusCode: status } = await client.request({ path: "/", method: "GET" })
    const fields = Object.entries(headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one) => `${name}: ${one.trimEnd()}`)
    )
    return { status, headers: fields.toSorted(), body: Buffer.from(await body.arrayBuffer()).toString("latin1") }
  } catch {
    return undefined
  } finally {
    await client.destroy()
    server.close()
  }
}

/** Mostly good, so that about half of all responses are. */
const mostly = (good: ReadonlyArray<string>, odd: ReadonlyArray<string>) =>
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...odd) })

const statuses = mostly(
  ["HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 204 None", "HTTP/1.1 404 ", "HTTP/1.1 200"],
  ["HTTP/1.1  200 OK", "http/1.1 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 200OK", "x"]
)

const fields = fc.array(
  mostly(
    ["a: b", "a:\tb\t ", "b: \xe9", "c:", "A-B: c:d", "connection: close", "connection: keep-alive", "a: x,y"],
    ["a : b", "\xe9: x", "c: \x01", "c: \x7f", ": a", "a", "", "a: b\rc"]
  ),
  { maxLength: 3 }
)

/** Framing headers and a body, which may belong to different framings. */
const bodies = fc.oneof(
  { weight: 3, arbitrary: fc.constant(["content-length: 5", "hello"] as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ["transfer-encoding: chunked", "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n"] as const,
      ["transfer-encoding: gzip, chunked", "5\r\nhello\r\n0\r\nt: u\r\n\r\n"] as const
    )
  },
  { weight: 1, arbitrary: fc.constant(["x-nothing: 1", "until the end"] as const) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom(
        "content-length: 5",
        "content-length: 5\r\ncontent-length: 5",
        "content-length: -5",
        "content-length: 4",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked",
        "transfer-encoding: identity"
      ),
      fc.constantFrom(
        "hello",
        "",
        "5\r\nhello\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "g\r\n",
        "0\r\n\r\n",
        "0\r\nnone\r\n\r\n"
      )
    )
  }
)

test("responses of all sorts are taken and refused as undici does", async () => {
  const responses = fc
    .tuple(statuses, fields, bodies, mostly(["\r\n"], ["\n"]))
    .map(([status, head, [delimiter, body], line]) => `${[status, ...head, delimiter].join(line)}${line}${line}${body}`)
  const taken = { both: 0, none: 0 }
  await fc.assert(
    fc.asyncProperty(responses, fc.nat(), async (bytes, at) => {
      const cut = at % (bytes.length + 1)
      const { seen } = read([bytes.slice(0, cut), bytes.slice(cut)])
      expect(seen, JSON.stringify(bytes)).toEqual(await byUndici(bytes))
      taken[seen === undefined ? "none" : "both"]++
    }),
    { numRuns: 300 }
  )
  expect(Math.min(taken.both, taken.none)).toBeGreaterThan(50)
})

test("a head of blanks is read in time that grows with its length", { timeout: 10_000 }, () => {
  const blanks = " ".repeat(16_000)
  const hint = `HTTP/1.1 103 Hints\r\na: x${blanks}y \r\n\r\n`
  // With an expression that backtracks, one of these takes a third of a second.
  const { seen } = read([...Array.from({ length: 60 }, () => hint), `${ok}content-length: 2\r\n\r\nok`])
  expect(seen?.body).toBe("ok")
})

test("blanks around a value, and the folds within, are no part of it", () => {
  const { seen } = read([`${ok}a: \t b c \t\r\nd:\r\ne: 1\r\n \t2\r\n\t 3\r\ncontent-length: 0\r\n\r\n`])
  expect(seen?.headers).toEqual(["a: b c", "content-length: 0", "d: ", "e: 1 2 3"])
})
