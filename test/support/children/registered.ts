/** An SDK's class as an app uses it, for the scripts that run with `clientele/register`. */

interface Client {
  readonly chat: {
    readonly completions: {
      create(body: { model: string; messages: Array<{ role: "user"; content: string }> }): PromiseLike<unknown>
    }
  }
}

type Class<O> = (new (options: O) => Client) & {
  readonly APIError: abstract new (...args: ReadonlyArray<never>) => Error
}

const ask = (client: Client, model: string) =>
  client.chat.completions.create({ model, messages: [{ role: "user", content: "hello" }] })

/** The sandbox does not know the model `absent`. */
export const look = async <O extends object>(sdk: Class<O>, options: O) => {
  const client = new sdk(options)
  const error = await Promise.resolve(ask(client, "absent")).then(
    () => undefined,
    (error: unknown) => error
  )
  return {
    shared: new sdk({ ...options }) === client,
    is: client instanceof sdk,
    name: client.constructor.name,
    answered: (await ask(client, "known")) !== undefined,
    error: error instanceof sdk.APIError && error.constructor.name
  }
}

export const say = (facts: object): void => void process.stdout.write(`${JSON.stringify(facts)}\n`)
