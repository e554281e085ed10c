// Why a certificate, a key or a file of authorities cannot be used. The message names the file, says
// what is wrong, and what to do next.

export class CertificateFault extends Error {
  override readonly name = 'CertificateFault';
}
