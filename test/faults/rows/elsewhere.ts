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
    title: "waiting requests use the existing sockets, and more once descriptors are free"
  },
  {
    name: "EMFILE, and no socket is open",
    file: "transport/descriptors.slow.ts",
    title: "without a descriptor the error is FileDescriptors, also for a failed lookup"
  },
  {
    name: "EMFILE, and another pool has sockets",
    file: "transport/descriptors.slow.ts",
    title: "without a descriptor a pool waits for the socket of another pool, and is answered"
  },
  {
    name: "two copies, or four worker threads, under `ulimit -n 256`",
    file: "packaging/descriptors.slow.ts",
    title: "under ulimit -n 256 no request fails"
  },
  {
    name: "a reset while a request is still being written",
    file: "transport/h2/readOn.test.ts",
    title: "a connection that is reset while a request is written over TLS is found dead, though Node reports nothing"
  },
  {
    name: "bytes that are not TLS",
    file: "transport/tls.test.ts",
    title: "bytes that are not TLS break requests in flight at once, and no others"
  },
  {
    name: "a server that requires a certificate",
    file: "transport/tls.test.ts",
    title: "a server that requires a certificate, with an alert after the handshake, fails at once"
  },
  {
    name: "an event of a stream that is invalid JSON",
    file: "redaction/foreignText.test.ts",
    title: "an event that is invalid JSON"
  },
  {
    name: "an unreachable server, and hundreds of waiting requests",
    file: "request/unsent.test.ts",
    title: "is sent with all others that waited, without a dial for each"
  },
  {
    name: "a slow reader",
    file: "transport/neighbours.test.ts",
    title: "readers of 1 GB at a few KB a second cost little memory, and their neighbours nothing"
  },
  {
    name: "a bomb of a gigabyte of gzip",
    file: "http/bombs.slow.ts",
    title: "is Malformed, compressed or not, and its buffer stays small"
  },
  {
    name: "a provider that is down, for requests without retries",
    file: "overload/circuits.slow.ts",
    title: "gives requests without retries the next probe's verdict, unsent, with the time until the next"
  },
  {
    name: "a provider that is down for longer, by 503",
    file: "overload/circuits.slow.ts",
    title: "is probed, and answers all waiting requests when it is back"
  },
  {
    name: "a provider that is down, by silence",
    file: "overload/circuits.slow.ts",
    title: "by silence fails each request in its time, and holds back later ones"
  },
  {
    name: "a provider that refuses connections",
    file: "overload/circuits.slow.ts",
    title: "by refusing connections is dialled by probes, and answers all waiting requests when it is back"
  },
  {
    name: "workers of nginx that are killed under 500 requests",
    file: "overload/nginx.slow.ts",
    title: "are answered though their workers are killed"
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
