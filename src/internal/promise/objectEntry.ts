/** An SDK object as its set knows it: held for the next getter, or weakly while somebody else has it. */
export class Entry {
  readonly kind: unknown
  readonly ref: WeakRef<object>
  /** Raw keys that have led here, the last ones. */
  readonly raws: Array<string> = []
  held: object | undefined = undefined
  /** The turn of the sweep in which it was asked for last. */
  seen = 0

  constructor(kind: unknown, object: object) {
    this.kind = kind
    this.ref = new WeakRef(object)
  }

  get object(): object | undefined {
    return this.held ?? this.ref.deref()
  }
}
