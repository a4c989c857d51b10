/** Which addresses are the internet's, and which lead to this machine, its networks, or its cloud's innards. */
import { BlockList, isIPv4, isIPv6 } from "node:net"

/** The IANA IPv4 special-purpose registry, what is not globally reachable; multicast; and Azure's host (its WireServer). */
const inner4 = new BlockList()
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4]
] as const) {
  inner4.addSubnet(net, prefix)
}

/** Within 2000::/3, all that IANA has given to networks: IETF protocols (Teredo, ORCHID, ...) and documentation. */
const inner6 = new BlockList()
for (const [net, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["3fff::", 20]
] as const) {
  inner6.addSubnet(net, prefix, "ipv6")
}

const numbers = (text: string): ReadonlyArray<number> =>
  text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16))

/** The eight numbers of an IPv6 address. */
const groupsOf = (address: string): ReadonlyArray<number> => {
  // The URL parser reads each of its spellings.
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [left = "", right] = plain.split("::")
  if (right === undefined) return numbers(left)
  const [head, tail] = [numbers(left), numbers(right)]
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail]
}

const dotted = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join(".")

/** Without the name of an interface, which a link-local address may have; mapped IPv4 (`::ffff:10.0.0.1`) as IPv4. */
export const plainAddress = (address: string): string => {
  const bare = address.replace(/%.*$/, "")
  if (!isIPv6(bare)) return bare
  const groups = groupsOf(bare)
  const mapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
  return mapped ? dotted(groups[6]!, groups[7]!) : bare
}

/** The IPv4 address at which an IPv6 address ends up: by NAT64 (RFC 6052) and 6to4 (RFC 3056). */
const embedded = (groups: ReadonlyArray<number>): string | undefined => {
  if (groups[0] === 0x64 && groups[1] === 0xff9b && groups.slice(2, 6).every((group) => group === 0)) {
    return dotted(groups[6]!, groups[7]!)
  }
  return groups[0] === 0x2002 ? dotted(groups[1]!, groups[2]!) : undefined
}

/** False for what is no address. */
export const publicAddress = (address: string): boolean => {
  const plain = plainAddress(address)
  if (isIPv4(plain)) return !inner4.check(plain)
  if (!isIPv6(plain)) return false
  const groups = groupsOf(plain)
  const inside = embedded(groups)
  if (inside !== undefined) return !inner4.check(inside)
  return groups[0]! >> 13 === 1 && !inner6.check(plain, "ipv6")
}

/** True for addresses and names of this machine. */
export const isLoopback = (host: string): boolean => {
  const plain = plainAddress(host)
  return plain === "::1" || (isIPv4(plain) ? plain.startsWith("127.") : /(^|\.)localhost$/.test(plain))
}
