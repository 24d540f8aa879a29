/** Tokens: who has the address that the lab printed, and nobody else, is let in. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** The tokens of one server. */
export interface Tokens {
  /** In the printed address. */
  readonly printed: string;
  /** In the cookie of a browser that came with a token. */
  readonly cookie: string;
  /** A token that lets in once: other users of a machine see the arguments of what opens a browser. */
  once(): string;
  /** Whether a token from an address lets in. */
  lets(given: string): boolean;
  /** Whether a cookie is ours. */
  knows(cookie: string): boolean;
}

const make = () => randomBytes(32).toString("base64url");

/** Equal, in a time that does not tell how much of it. */
const equal = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));
const digest = (text: string) => createHash("sha256").update(text).digest();

/** Make tokens, 256 random bits each. */
export function createTokens(): Tokens {
  const [printed, cookie] = [make(), make()];
  const unused = new Set<string>();
  return {
    printed,
    cookie,
    once() {
      const token = make();
      unused.add(token);
      return token;
    },
    lets(given) {
      for (const token of unused) if (equal(given, token)) return unused.delete(token);
      return equal(given, printed);
    },
    knows: (given) => equal(given, cookie),
  };
}
