import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tableUnder } from "../../support/tables.ts";
import { type Case, contradictions, describeCases } from "./case.ts";
import { listCases } from "./list-cases.ts";
import { publishCases } from "./publish-cases.ts";
import { pullCases } from "./pull-cases.ts";
import { pushCases } from "./push-cases.ts";
import { nameCases, subscriptionCases, topicCases } from "./resource-cases.ts";
import { restMessageCases, restResourceCases } from "./rest-cases.ts";
import { boundCases, deadLetterCases, defaultCases } from "./setting-cases.ts";
import { Side, whoseAtHand } from "./side.ts";
import { streamCases } from "./stream-cases.ts";
import { topicUpdateCases, updateCases } from "./update-cases.ts";

const tables: Readonly<Record<string, readonly Case[]>> = {
  "a topic": topicCases,
  "a subscription": subscriptionCases,
  "a name": nameCases,
  "the defaults": defaultCases,
  "the bounds of settings": boundCases,
  "the bounds of dead-letter policies": deadLetterCases,
  "an update of a subscription": updateCases,
  "an update of a topic": topicUpdateCases,
  "a list": listCases,
  "a publisher": publishCases,
  "a message that is pulled": pullCases,
  "a message that is streamed": streamCases,
  "the REST API of resources": restResourceCases,
  "the REST API of messages": restMessageCases,
};

const cases = [...Object.values(tables).flat(), ...pushCases];

describe.each(whoseAtHand())("the Pub/Sub emulator, %s,", (whose) => {
  let side: Side;
  beforeAll(async () => {
    side = await Side.open(whose);
  });
  afterAll(() => side?.close());

  for (const [title, table] of Object.entries(tables)) describeCases(title, table, () => side);
  // Back-off and ack deadlines take real time.
  describeCases("a push", pushCases, () => side, true);
});

/** Rows of what cannot be asked: that something does not happen, and what would be the end of Google's emulator. */
const UNASKED = ["Pushes under way at once", "Bad numbers"];

describe("the guide", () => {
  const guide = readFileSync(join(import.meta.dirname, "../../../docs/guides/emulator.md"), "utf8");
  const rows = (heading: string) => tableUnder(guide, heading).map(([what = ""]) => what);
  const told = { ours: rows("### This emulator"), google: rows("### Google's own Pub/Sub emulator") };

  it("tells of every difference", () => {
    expect(contradictions(cases, told)).toEqual([]);
  });

  it("tells of no difference of Google's emulator that there is not", () => {
    const shown = cases.flatMap(({ google }) => (google === undefined ? [] : [google.row]));
    expect([...new Set([...shown, ...UNASKED])].sort()).toEqual(told.google.toSorted());
  });
});
