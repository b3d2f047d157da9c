import { invalid } from "./status.ts";

/** The part of a list request that pages. */
export interface PageRequest {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** One page of a list, and the token of the next one; empty when there is none. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/** Items of a page when the request does not say how many. */
const DEFAULT_PAGE_SIZE = 100;

/**
 * The page of a list that a request asks for. The list is ordered by key; what is added or deleted between two pages neither
 * repeats nor hides anything else.
 *
 * @param key what an item is ordered by, and found again by: its name.
 * @param largest items of a page at most, whatever is asked for. Default 1000.
 * @throws RpcError INVALID_ARGUMENT for a token that is none, and for a negative size.
 */
export function pageOf<T>(
  items: Iterable<T>,
  key: (item: T) => string,
  { pageSize = 0, pageToken = "" }: PageRequest,
  largest = 1000,
): Page<T> {
  if (pageSize < 0) throw invalid("The page size must be greater than or equal to 0.");
  const size = Math.min(pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize, largest);
  const after = pageToken === "" ? undefined : decoded(pageToken);
  const rest = [...items].filter((item) => after === undefined || key(item) > after);
  rest.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return { items: page, nextPageToken: rest.length > size && last !== undefined ? encoded(key(last)) : "" };
}

const MARK = "after:";

function encoded(key: string): string {
  return Buffer.from(MARK + key).toString("base64url");
}

function decoded(token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (!text.startsWith(MARK)) throw invalid("You have passed an invalid page token to the request.");
  return text.slice(MARK.length);
}
