/** Error pages of HTML, as those in front of providers send them. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import { isPage, wordsOf } from "../../src/internal/http/htmlPage.ts"
import { makeClients } from "../../src/Promise.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { openai6 } from "../support/openai6.ts"
import { subjects } from "../support/providers.ts"

const nginx =
  "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
  "<hr><center>nginx/1.24.0</center>\r\n</body>\r\n</html>\r\n<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n"

const cloudflare = `<!DOCTYPE html>
<!--[if lt IE 7]> <html class="no-js ie6 oldie" lang="en-US"> <![endif]-->
<!--[if gt IE 8]><!--> <html class="no-js" lang="en-US"> <!--<![endif]-->
<head><style>h1 { color: red }</style>
<title>api.example.com | 520: Web server is returning an unknown error</title></head><body><h1>Error</h1></body></html>`

const squid = `<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN"><html><head>
<title>ERROR: Cache Access Denied</title><style type="text/css"><!-- body { } --></style></head><body>${"<p>no".repeat(20_000)}`

const asIs = (text: string) => text
const clean = (text: string) => text.replaceAll("sk-CANARY-1", "[key]")
const words = (page: string) => wordsOf(page, asIs)

describe("an HTML page", () => {
  it("is described by its title", () => {
    assert.strictEqual(words(nginx), "502 Bad Gateway")
    assert.strictEqual(words(cloudflare), "api.example.com | 520: Web server is returning an unknown error")
    assert.strictEqual(words(squid), "ERROR: Cache Access Denied")
    assert.strictEqual(words("<TITLE lang=en>\n Bad\n  Gateway </TITLE>"), "Bad Gateway")
    assert.strictEqual(
      words("<title>Tom &amp; Jerry&#39;s &#x201c;proxy&quot; &lt;b&gt; &odd; &#9999999;</title>"),
      "Tom & Jerry's “proxy\" <b> &odd; &#9999999;"
    )
    assert.strictEqual(words("<!-- <title>none</title> --><title>one</title><title>two</title>"), "one")
  })

  it("is described by its first heading with text if it has no title, else by its visible text", () => {
    assert.strictEqual(words("<title> </title><h1><img src=x></h1><h2>Error <b>1020</b></h2><p>no"), "Error 1020")
    assert.strictEqual(words("<body><script>alert('<p>')</script><p>upstream</p><p>is\tdown</p>"), "upstream is down")
    assert.strictEqual(words("<p>only half a <ta"), "only half a")
    assert.strictEqual(words("<script>never closed"), "an HTML page without text")
    assert.strictEqual(words("<html></html>"), "an HTML page without text")
  })

  it("is described in 200 characters of one line", () => {
    const told = words(`<title>${"\u{1f600}".repeat(300)}</title>`)
    assert.strictEqual(told, `${"\u{1f600}".repeat(199)}…`)
    assert.strictEqual(words("<title>a\n\x1b[2J&#27;\u202e&#x202e;b</title>"), "a \\u001b[2J\\u001b\\u202e\\u202eb")
  })

  it("holds no secret, however it is written there", () => {
    for (const page of [
      "<title>no sk-CANARY-1</title>",
      "<title>no sk&#45;CANARY&#x2d;1</title>",
      "<p>no sk-CANARY-1",
      `<title>${"x".repeat(190)} sk-CANARY-1</title>`
    ]) {
      assert.notInclude(wordsOf(page, clean), "CANARY")
    }
  })

  it("is detected by its type or its beginning, apart from JSON and plain text", () => {
    assert.isTrue(isPage("text/html; charset=utf-8", "<p>no"))
    assert.isTrue(isPage("text/html", "oh <b>no</b>"))
    for (const page of [nginx, cloudflare, squid, "<!-- oh --><p>no", " \n<h1>no"]) assert.isTrue(isPage(null, page))
    assert.isFalse(isPage("text/html", "upstream connect error, reset reason: connection timeout"))
    assert.isFalse(isPage("text/plain", "a < b"))
    assert.isFalse(isPage("application/xml", "<Error><Code>Denied</Code></Error>"))
    assert.isFalse(isPage(null, ""))
  })

  it("is one line of at most 200 characters without tags, whatever it is, and takes no time", () => {
    const part = fc.constantFrom(
      "<",
      ">",
      "<title>",
      "</title>",
      "<h1",
      "<!--",
      "-->",
      "<script",
      "</script>",
      "a",
      " ",
      "&",
      "\n"
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        const told = words(parts.join(""))
        assert.isAtMost(Array.from(told).length, 200)
        assert.notMatch(told, /<(?:title|script|!--)[^<>]*>|\n/)
      })
    )
    for (const piece of [
      "<",
      "<title",
      "<title>",
      "<h1",
      "<h1>",
      "</h1",
      "<!--",
      "<script",
      "<a ",
      "<!",
      "&",
      "&#1",
      " "
    ]) {
      const from = performance.now()
      words(piece.repeat(2 ** 20 / piece.length))
      assert.isBelow(performance.now() - from, 500, piece)
    }
  })
})

for (const subject of [...subjects, openai6]) {
  describe(`an error of ${subject.name} that is a page`, () => {
    it.live("is described by its title, by the SDK too", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox, { maxRetries: 0 })
        for (const [status, headers, body, detail] of [
          [502, { "content-type": "text/html" }, nginx, "502 Bad Gateway"],
          [
            520,
            { "content-type": "text/html; charset=UTF-8" },
            cloudflare,
            "520 api.example.com | 520: Web server is returning an unknown error"
          ],
          [403, {}, squid, "403 ERROR: Cache Access Denied"]
        ] as const) {
          sandbox.faults.push({ fault: { type: "status", status, headers, body }, times: 1 })
          const error = yield* Effect.flip(subject.ask(config))
          assert.strictEqual(error._tag === "RequestError" ? error.detail : error._tag, detail)
          assert.strictEqual((error as { readonly cause?: Error }).cause?.message, detail)
        }
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })
}

describe("a fetch's error that is a page", () => {
  it.live("has its text for a body, of type text", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.faults.push({
        fault: { type: "status", status: 502, headers: { "content-type": "text/html" }, body: nginx }
      })
      yield* Effect.promise(async () => {
        await using clients = makeClients()
        const fetch = clients.getFetch({
          apiKey: "sk-test",
          baseURL: sandbox.baseURL("openai"),
          maxRetries: 0,
          transport: { ca: sandbox.ca }
        })
        const answer = await fetch(`${sandbox.baseURL("openai")}/models`)
        assert.deepStrictEqual(
          [answer.status, answer.headers.get("content-type"), await answer.text()],
          [502, "text/plain; charset=utf-8", "Bad Gateway"]
        )
      })
    }).pipe(Effect.scoped)
  )
})
