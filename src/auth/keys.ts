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
  readonly #byHash = new Map<string, Grant>();

  /** @throws {Error} where two entries have one hash */
  constructor(entries: readonly KeyEntry[]) {
    for (const { name, sha256: hash, ...permissions } of entries) {
      if (this.#byHash.has(hash)) throw new Error(`two entries have the hash of '${name}'`);
      this.#byHash.set(hash, new Grant({ owner: `key ${name}`, permissions, issuer: `${ISSUER}${hash}` }));
    }
  }

  /**
   * Reads the text of the file.
   *
   * @throws {Error} that says what is wrong with it
   */
  static parse(text: string): KeyRing {
    const read = keysFile.safeParse(parseJson(text));
    if (read.success) return new KeyRing(read.data.keys);
    const [issue] = read.error.issues;
    throw new Error(`${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim());
  }

  /**
   * What a key allows; undefined for one that is not in the file. It is found by its hash, which nobody can steer, so the
   * time that takes tells nothing of other keys; the hashes are compared in constant time all the same.
   */
  find(key: string): Grant | undefined {
    const hash = sha256(key);
    const grant = this.#byHash.get(hash.toString("hex"));
    const own = Buffer.from(grant?.issuer.slice(ISSUER.length) ?? "0".repeat(64), "hex");
    return timingSafeEqual(own, hash) ? grant : undefined;
  }

  /** What the key of a grant allows now; undefined where it is gone. */
  current({ issuer }: Grant): Grant | undefined {
    return issuer.startsWith(ISSUER) ? this.#byHash.get(issuer.slice(ISSUER.length)) : undefined;
  }
}

/** How the issuer of a key's grant begins; its hash follows. */
const ISSUER = "key ";

/** A new key at random, 256 bits, and its entry for the file. */
export function makeKey(name: string, permissions: Permissions): { key: string; entry: KeyEntry } {
  const key = `psk_${crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true })}`;
  return { key, entry: { name, sha256: sha256(key).toString("hex"), ...permissions } };
}

/** Says nothing of the text: whoever writes the whole output of `pubsub key` into the file writes a key into it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('it is not JSON; it must be {"keys":[…]}, with the hashes of keys and no key');
  }
}

function sha256(text: string): Buffer {
  return Buffer.from(new Bun.CryptoHasher("sha256").update(text).digest());
}
