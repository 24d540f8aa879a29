/** Certificates, read: what `lucid certify --json` printed. */
import { certificateSchema, type Certificate } from "../diagnostics/certificate/certificate.ts";
import { InputError } from "../engine/errors.ts";
import { parseJson } from "../platform/files.ts";

/**
 * Read a certificate.
 *
 * @param path what messages call the file.
 * @throws {InputError} when it is none.
 */
export function parseCertificate(text: string, path: string): Certificate {
  const parsed = certificateSchema.safeParse(parseJson(text, path));
  if (parsed.success) return parsed.data;
  throw new InputError(
    `invalid file ${path}: not a certificate (give what lucid certify --json printed)`,
  );
}
