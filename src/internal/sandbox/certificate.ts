/**
 * Fixed certificates for servers on this machine: an authority, a server of `localhost`, `127.0.0.1` and `::1`, and a
 * client for mutual TLS. EC P-256, valid until 2126.
 *
 * For tests over loopback only: the private keys are public here, so never add the authority to a
 * machine's trust store. Its own key was thrown away, so nothing else can be signed with it.
 *
 * @since 0.1.0
 */

/**
 * PEM texts, the form that node:tls takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Certificate {
  /** The authority that signed `cert` and `client.cert`: what the other side must trust. */
  readonly ca: string
  /** The server's certificate. */
  readonly cert: string
  /** The server's private key. */
  readonly key: string
  /** The pair that a client shows where the server asks for one. */
  readonly client: { readonly cert: string; readonly key: string }
}

/**
 * @since 0.1.0
 * @category testing
 */
export const certificate: Certificate = {
  ca: `-----BEGIN CERTIFICATE-----
MIIBpzCCAU6gAwIBAgIUbRp6B1RBJzH3D9WeUXo2IlR3/qwwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUY2xpZW50ZWxlIHRlc3RpbmcgQ0EwIBcNMjYxMTI0MTMyNTIz
WhgPMjEyNjEwMzExMzI1MjNaMB8xHTAbBgNVBAMMFGNsaWVudGVsZSB0ZXN0aW5n
IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHA0ta3j635SRIWkwiqL6xO7z
ed3GxB+7eu0iFzSYcmPWMioCHM/logBgqiBvLDU/nsr/CuaRpoF+IUvS6pgf0qNm
MGQwHQYDVR0OBBYEFLqyx0Tb1t0Td3VsPnVr4mwSpxOQMB8GA1UdIwQYMBaAFLqy
x0Tb1t0Td3VsPnVr4mwSpxOQMBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYDVR0PAQH/
BAQDAgEGMAoGCCqGSM49BAMCA0cAMEQCIAY+MVRdl9iXc2mAXoGJZ2Oeu3AqPros
5JDUBCBl0ni9AiBQoElQi12ki3GL1qssRpaeW8fIxKQ0yCXxsdlGb5v9hg==
-----END CERTIFICATE-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIB3TCCAYKgAwIBAgIUHyob+Cuf0qstvdd6o+YJKrEWWRMwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUY2xpZW50ZWxlIHRlc3RpbmcgQ0EwIBcNMjYxMTI0MTMyNTIz
WhgPMjEyNjEwMzExMzI1MjNaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABEBI8kHCbytR3PhQ1Shnu6pWtWoDscT2Bb5kxH1Z
knuFpVG6WV08qGLL1UGashMTAjM2NI2WdL51eJvJHalJwrujgaQwgaEwDAYDVR0T
AQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwLAYD
VR0RBCUwI4IJbG9jYWxob3N0hwR/AAABhxAAAAAAAAAAAAAAAAAAAAABMB0GA1Ud
DgQWBBTQGRAPBMQmjan44E/fatJ7KzWmfDAfBgNVHSMEGDAWgBS6ssdE29bdE3d1
bD51a+JsEqcTkDAKBggqhkjOPQQDAgNJADBGAiEAxfxCLYCLN9hudz5xWDPS4jiG
ABYNOVB+6hTYipZkB14CIQCRlOMBj24twVVqUXz6XUTkxytyL9jc9+WWi/KTiGHx
nA==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggY4l8VXAaE8O1kso
AntfTc77PuAtMy0eCuiM6CzERMyhRANCAARASPJBwm8rUdz4UNUoZ7uqVrVqA7HE
9gW+ZMR9WZJ7haVRulldPKhiy9VBmrITEwIzNjSNlnS+dXibyR2pScK7
-----END PRIVATE KEY-----
`,
  client: {
    cert: `-----BEGIN CERTIFICATE-----
MIIBuzCCAWGgAwIBAgIUHyob+Cuf0qstvdd6o+YJKrEWWRQwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUY2xpZW50ZWxlIHRlc3RpbmcgQ0EwIBcNMjYxMTI0MTMyNTIz
WhgPMjEyNjEwMzExMzI1MjNaMCMxITAfBgNVBAMMGGNsaWVudGVsZS10ZXN0aW5n
LWNsaWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB3/o2Es+XI3PDKlwas7
xIHoNUVNjR0Aqcq5k9SzAAuf/Z+4OmCNJIkXVEeLdS8LcUJ9ICFnGy+zxLmh9iQy
h/WjdTBzMAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMBMGA1UdJQQMMAoG
CCsGAQUFBwMCMB0GA1UdDgQWBBQb8HBpuhWRQRXGaXNy6VkV9NKjBDAfBgNVHSME
GDAWgBS6ssdE29bdE3d1bD51a+JsEqcTkDAKBggqhkjOPQQDAgNIADBFAiEAy/xV
yqQXC/UFQFafAGhd9CIDbkkTXRNz0Og7UEkuaLcCIEt6URq2GAs8VeCxkYY5txE4
2wq0uNIwUjRQjCKLCHDc
-----END CERTIFICATE-----
`,
    key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1DqlFsFaQRAw/l3F
OYz72E5FAhzmMKDgjN1cMS1LE8ShRANCAAQd/6NhLPlyNzwypcGrO8SB6DVFTY0d
AKnKuZPUswALn/2fuDpgjSSJF1RHi3UvC3FCfSAhZxsvs8S5ofYkMof1
-----END PRIVATE KEY-----
`
  }
}
