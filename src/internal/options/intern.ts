import { equals, hash as hashOf } from "./equality.ts"

/**
 * Returns the one living value that equals `candidate`, or makes it that one. The table is weak: unreferenced values
 * are dropped, so that a million tenants that came once leave nothing behind.
 */
export const makeInterner = <A extends object>(): (<B extends A>(candidate: B) => B) => {
  const buckets = new Map<number, Array<WeakRef<A>>>()
  const registry = new FinalizationRegistry<number>((hash) => {
    const alive = buckets.get(hash)?.filter((ref) => ref.deref() !== undefined)
    if (alive === undefined || alive.length === 0) buckets.delete(hash)
    else buckets.set(hash, alive)
  })
  return <B extends A>(candidate: B): B => {
    const hash = hashOf(candidate)
    const bucket = buckets.get(hash)
    if (bucket !== undefined) {
      for (const ref of bucket) {
        const known = ref.deref()
        // Equal values are of one type here: each table holds one kind.
        if (known !== undefined && equals(known, candidate)) return known as B
      }
    }
    const ref = new WeakRef<A>(candidate)
    if (bucket === undefined) buckets.set(hash, [ref])
    else bucket.push(ref)
    registry.register(candidate, hash)
    return candidate
  }
}
