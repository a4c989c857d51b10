/** Uploads: hashed as they arrive, then forgotten but for their names and sums. */
import { createHash } from "node:crypto"
import { missing, type Problem, problem } from "./errors.ts"
import type { Exchange } from "./exchange.ts"
import type { ProviderName, Upload } from "./model.ts"
import { boundaryOf, Multipart } from "./multipart.ts"
import { json, type Reply } from "./reply.ts"
import { Date } from "../util/timers.ts"

const MAX_UPLOADS = 10_000
const MAX_FIELD_BYTES = 64 * 1024

export class UploadStore {
  readonly all: Array<Upload> = []

  /** Reads an upload, and calls back once when its body has ended. */
  receive(exchange: Exchange, id: string, done: (result: Upload | Problem) => void): void {
    const boundary = boundaryOf(exchange.header("content-type"))
    if (boundary === undefined) {
      exchange.body.resume()
      return done({ status: 400, message: "Expected a body of type multipart/form-data with a boundary." })
    }
    const fields = new Map<string, string>()
    const hash = createHash("sha256")
    let name: string | undefined
    let size = 0
    const parser = new Multipart(boundary, (header) => {
      if (header.name !== "file" || header.filename === undefined) return field(fields, header.name)
      name = header.filename
      return (bytes) => {
        if (bytes === undefined) return
        size += bytes.length
        hash.update(bytes)
      }
    })
    let failure: string | undefined
    exchange.body.on("data", (chunk: Buffer) => {
      if (failure !== undefined) return
      try {
        parser.write(chunk)
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error)
      }
    })
    exchange.body.on("error", () => {})
    exchange.body.on("end", () => {
      if (failure === undefined && !parser.ended) failure = "the closing boundary is missing"
      if (failure !== undefined) return done({ status: 400, message: `The form could not be read: ${failure}.` })
      const purpose = fields.get("purpose")
      if (name === undefined) return done(missing("file"))
      if (purpose === undefined) return done(missing("purpose"))
      const upload = { id: `file-${id}`, name, purpose, size, sha256: hash.digest("hex") }
      this.all.push(upload)
      if (this.all.length > MAX_UPLOADS) this.all.shift()
      done(upload)
    })
  }

  list(): Reply {
    return json(200, { object: "list", data: this.all.map(fileOf), has_more: false })
  }

  get(provider: ProviderName, id: string): Reply {
    const upload = this.all.find((one) => one.id === id)
    return upload === undefined ? problem(provider, noFile(id)) : json(200, fileOf(upload))
  }

  delete(provider: ProviderName, id: string): Reply {
    const index = this.all.findIndex((one) => one.id === id)
    if (index < 0) return problem(provider, noFile(id))
    this.all.splice(index, 1)
    return json(200, { id, object: "file", deleted: true })
  }
}

const noFile = (id: string): Problem => ({ status: 404, param: "id", message: `No such File object: ${id}` })

export const fileOf = (upload: Upload): unknown => ({
  id: upload.id,
  object: "file",
  bytes: upload.size,
  created_at: Math.floor(Date.now() / 1000),
  filename: upload.name,
  purpose: upload.purpose,
  status: "processed"
})

const field = (fields: Map<string, string>, name: string) => {
  let text = ""
  return (bytes: Uint8Array | undefined) => {
    if (bytes === undefined) fields.set(name, text)
    else if (text.length < MAX_FIELD_BYTES) text += Buffer.from(bytes).toString()
  }
}
