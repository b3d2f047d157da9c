/** The body of a block; what is `undefined` is left out. */
export interface Body {
  readonly [argument: string]: string | number | boolean | Body | undefined;
}

/** A block of Terraform's with its two labels. */
export interface Block {
  readonly type: string;
  readonly label: string;
  readonly body: Body;
}

/** Entries as an object, in the order of their names. */
export function inOrder<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  return Object.fromEntries([...entries].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Blocks in the order of their addresses, as the syntax nests them: type, label, body. */
export function byAddress(blocks: readonly Block[]): Readonly<Record<string, Readonly<Record<string, Body>>>> {
  const types = [...new Set(blocks.map(({ type }) => type))].sort();
  return Object.fromEntries(
    types.map((type) => {
      const own = blocks.filter((block) => block.type === type);
      return [type, inOrder(own.map(({ label, body }) => [label, body]))];
    }),
  );
}
