/** In the child: the CPU of calls that are always so many at a time. */

export interface CrowdSize {
  /** Calls at the same time. */
  readonly atOnce: number
  /** Calls that run before those that are measured. */
  readonly warmUp: number
  /** Calls that are measured. */
  readonly calls: number
}

/** Microseconds of CPU since `from` for each of `calls`, in all threads of this process. */
export const cpuSince = (from: NodeJS.CpuUsage, calls: number): number => {
  const { system, user } = process.cpuUsage(from)
  return (system + user) / calls
}

/** Microseconds of CPU for each call. */
export const cpuPerCall = async (
  { atOnce, calls, warmUp }: CrowdSize,
  call: (i: number) => Promise<unknown>
): Promise<number> => {
  const crowd = async (size: number): Promise<void> => {
    let next = 0
    const worker = async () => {
      while (next < size) await call(next++)
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }
  await crowd(warmUp)
  const from = process.cpuUsage()
  await crowd(calls)
  return cpuSince(from, calls)
}
