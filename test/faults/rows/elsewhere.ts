/** Rows that need a process, a clock or a crowd of their own: the tests that show them. */

export interface Elsewhere {
  readonly name: string
  readonly file: string
  /** A part of the test's title. */
  readonly title: string
}

export const elsewhere: ReadonlyArray<Elsewhere> = [
  {
    name: "EMFILE while some sockets are open",
    file: "transport/descriptors.slow.ts",
    title: "whoever waits goes on the sockets that there are, and when descriptors are free there are more"
  },
  {
    name: "EMFILE, and no socket is open",
    file: "transport/descriptors.slow.ts",
    title: "without a descriptor that is what is said, also of a name that can't be looked up"
  },
  {
    name: "EMFILE, and another pool has sockets",
    file: "transport/descriptors.slow.ts",
    title: "without a descriptor a pool waits for the socket of another pool, and is answered"
  },
  {
    name: "two copies, or four worker threads, under `ulimit -n 256`",
    file: "packaging/descriptors.slow.ts",
    title: "under ulimit -n 256 nobody fails"
  },
  {
    name: "a reset while a request is still being written",
    file: "transport/h2/readOn.test.ts",
    title: "a connection that is reset while a request is written over TLS is found dead, though Node is not told"
  },
  {
    name: "bytes that are no TLS",
    file: "transport/tls.test.ts",
    title: "bytes that are no TLS break what is under way at once, and nothing else"
  },
  {
    name: "a server that wants a certificate",
    file: "transport/tls.test.ts",
    title: "a server that wants a certificate, and says so when the handshake is over, is not trusted, at once"
  },
  {
    name: "an event of a stream that is no JSON",
    file: "redaction/foreignText.test.ts",
    title: "an event that is no JSON"
  },
  {
    name: "nobody can be connected to, and hundreds wait",
    file: "request/unsent.test.ts",
    title: "is sent with all others that waited, who were not dialled for one by one"
  },
  {
    name: "a slow reader",
    file: "transport/neighbours.test.ts",
    title: "readers of 1 GB at a few KB a second cost little memory, and their neighbours nothing"
  },
  {
    name: "a bomb of a gigabyte of gzip",
    file: "http/bombs.slow.ts",
    title: "is Malformed, compressed or not, and what it is read into stays small"
  },
  {
    name: "a provider that is down, for those who may not retry",
    file: "overload/circuits.slow.ts",
    title: "gives who may not retry the next probe's verdict, unsent, with the time until the next"
  },
  {
    name: "a provider that is down for longer, by 503",
    file: "overload/circuits.slow.ts",
    title: "is probed, and answers all who waited when it is back"
  },
  {
    name: "a provider that is down, by silence",
    file: "overload/circuits.slow.ts",
    title: "by silence fails each in its time, and holds back those who come later"
  },
  {
    name: "a provider that refuses connections",
    file: "overload/circuits.slow.ts",
    title: "by refusing connections is dialled by probes, and answers all who waited when it is back"
  },
  {
    name: "workers of nginx that are killed under 500 requests",
    file: "overload/nginx.slow.ts",
    title: "are answered whose workers are killed"
  },
  {
    name: "an event loop that is blocked",
    file: "faults/loop.slow.ts",
    title: "an event loop that was blocked for longer than all timeouts"
  },
  {
    name: "a machine that sleeps until its connections are gone",
    file: "faults/loop.slow.ts",
    title: "an event loop that was stopped while its connections broke, as those of a machine that sleeps do"
  },
  {
    name: "a machine that sleeps for an hour",
    file: "faults/asleep.test.ts",
    title: "when a machine wakes that slept for an hour, there is no herd"
  }
]
