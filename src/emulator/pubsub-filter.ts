import { invalid } from "./status.ts";

/** Whether a message with such attributes passes. */
export type Filter = (attributes: Readonly<Record<string, string>>) => boolean;

const LONGEST_FILTER_BYTES = 256;
const TOKEN = /\s*(?:("(?:[^"\\]|\\[\s\S])*")|(!=|[-()=:.,])|([A-Za-z_][A-Za-z0-9_-]*))/y;
/** What stands for the end: no token is empty. */
const END = "";

/**
 * Compiles the filter of a subscription: `attributes:key`, `attributes.key = "value"`, `!=`,
 * `hasPrefix(attributes.key, "value")`, joined by AND or OR, which are not mixed without parentheses, and NOT or `-`.
 * https://cloud.google.com/pubsub/docs/subscription-message-filter#filtering_syntax
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
export function compileFilter(text: string): Filter {
  if (text.trim() === "") return () => true;
  const bytes = Buffer.byteLength(text);
  if (bytes > LONGEST_FILTER_BYTES)
    throw invalid(
      `The value for filter is too large. You passed ${bytes} in the request, but the maximum value is ${LONGEST_FILTER_BYTES}.`,
    );
  return new FilterParser(text).parse();
}

class FilterParser {
  readonly #text: string;
  #position = 0;
  #token = END;

  constructor(text: string) {
    this.#text = text;
    this.#advance();
  }

  parse(): Filter {
    const filter = this.#expression();
    if (this.#token !== END) throw this.#error();
    return filter;
  }

  #expression(): Filter {
    const terms = [this.#term()];
    const join = this.#token;
    while (this.#token === "AND" || this.#token === "OR") {
      // Which of the two binds closer is not defined: the service wants parentheses.
      if (this.#token !== join) throw this.#error();
      this.#advance();
      terms.push(this.#term());
    }
    if (join === "OR") return (attributes) => terms.some((term) => term(attributes));
    return (attributes) => terms.every((term) => term(attributes));
  }

  #term(): Filter {
    if (this.#token !== "NOT" && this.#token !== "-") return this.#primary();
    this.#advance();
    const negated = this.#primary();
    return (attributes) => !negated(attributes);
  }

  #primary(): Filter {
    if (this.#take("(")) {
      const inner = this.#expression();
      this.#expect(")");
      return inner;
    }
    if (this.#take("hasPrefix")) return this.#hasPrefix();
    this.#expect("attributes");
    if (this.#take(":")) {
      const key = this.#key();
      return (attributes) => Object.hasOwn(attributes, key);
    }
    this.#expect(".");
    const key = this.#key();
    const isEqual = this.#take("=");
    if (!isEqual) this.#expect("!=");
    const value = this.#string();
    return (attributes) => (attributeOf(attributes, key) === value) === isEqual;
  }

  #hasPrefix(): Filter {
    this.#expect("(");
    this.#expect("attributes");
    this.#expect(".");
    const key = this.#key();
    this.#expect(",");
    const prefix = this.#string();
    this.#expect(")");
    return (attributes) => attributeOf(attributes, key)?.startsWith(prefix) === true;
  }

  #key(): string {
    if (this.#token.startsWith('"')) return this.#string();
    const token = this.#token;
    if (!/^[A-Za-z_]/.test(token)) throw this.#error();
    this.#advance();
    return token;
  }

  #string(): string {
    const token = this.#token;
    if (!token.startsWith('"')) throw this.#error();
    const text = unescaped(token.slice(1, -1));
    if (text === undefined) throw this.#error();
    this.#advance();
    return text;
  }

  #take(token: string): boolean {
    if (this.#token !== token) return false;
    this.#advance();
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw this.#error();
  }

  #advance(): void {
    TOKEN.lastIndex = this.#position;
    const match = TOKEN.exec(this.#text);
    if (match !== null) {
      this.#position = TOKEN.lastIndex;
      this.#token = match[1] ?? match[2] ?? match[3] ?? END;
      return;
    }
    this.#token = END;
    if (this.#text.slice(this.#position).trim() !== "") throw this.#error();
  }

  #error(): Error {
    return invalid(`Invalid filter given (filter=${this.#text}): unexpected input before character ${this.#position}.`);
  }
}

function attributeOf(attributes: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(attributes, key) ? attributes[key] : undefined;
}

const LAST_CODE_POINT = 0x10ffff;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b", f: "\f", v: "\v" };

/** The text of a string literal; `undefined` when an escape stands for no character. */
function unescaped(text: string): string | undefined {
  const escapes = /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-7]{3})|(.))/gs;
  let isValid = true;
  const result = text.replace(escapes, (_, u?: string, long?: string, x?: string, octal?: string, other?: string) => {
    const hex = u ?? long ?? x;
    if (hex === undefined && octal === undefined) return ESCAPES[other ?? ""] ?? other ?? "";
    const code = hex === undefined ? Number.parseInt(octal ?? "", 8) : Number.parseInt(hex, 16);
    isValid &&= code <= LAST_CODE_POINT;
    return isValid ? String.fromCodePoint(code) : "";
  });
  return isValid ? result : undefined;
}
