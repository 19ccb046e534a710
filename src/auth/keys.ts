import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { Grant, permissionFields, type Permissions } from "./permissions.ts";

const keysFile = z.strictObject({
  keys: z.array(
    z.strictObject({
      name: z.string().min(1),
      sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 hash, 64 hexadecimal digits"),
      ...permissionFields,
    }),
  ),
});

/** A key, as `API_KEYS_FILE` has it: its hash only. */
export type KeyEntry = { name: string; sha256: string } & Permissions;

/** The keys of `API_KEYS_FILE`. */
export class KeyRing {
  readonly #keys: { hash: Buffer; grant: Grant }[];

  constructor(entries: readonly KeyEntry[]) {
    this.#keys = entries.map(({ name, sha256, ...permissions }) => {
      const grant = new Grant({ owner: `key ${name}`, permissions, issuer: `key ${sha256}` });
      return { hash: Buffer.from(sha256, "hex"), grant };
    });
  }

  /**
   * Reads the text of the file.
   *
   * @throws {Error} that says what is wrong with it
   */
  static parse(text: string): KeyRing {
    const read = keysFile.safeParse(JSON.parse(text));
    if (read.success) return new KeyRing(read.data.keys);
    const [issue] = read.error.issues;
    throw new Error(`${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim());
  }

  /** What a key allows; undefined for one that is not in the file. Takes as long, whichever key it is. */
  find(key: string): Grant | undefined {
    const hash = sha256(key);
    let found: Grant | undefined;
    for (const entry of this.#keys) if (timingSafeEqual(entry.hash, hash)) found = entry.grant;
    return found;
  }

  /** What the key of a grant allows now; undefined where it is gone. */
  current({ issuer }: Grant): Grant | undefined {
    return this.#keys.find(({ grant }) => grant.issuer === issuer)?.grant;
  }
}

/** A new key at random, 256 bits, and its entry for the file. */
export function makeKey(name: string, permissions: Permissions): { key: string; entry: KeyEntry } {
  const key = `psk_${crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true })}`;
  return { key, entry: { name, sha256: sha256(key).toString("hex"), ...permissions } };
}

function sha256(text: string): Buffer {
  return Buffer.from(new Bun.CryptoHasher("sha256").update(text).digest());
}
