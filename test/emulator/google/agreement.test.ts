import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tableUnder } from "../../support/tables.ts";
import { type Case, contradictions, describeCases } from "./case.ts";
import { listCases } from "./list-cases.ts";
import { publishCases, pullCases } from "./message-cases.ts";
import { nameCases, subscriptionCases, topicCases } from "./resource-cases.ts";
import { restMessageCases, restResourceCases } from "./rest-cases.ts";
import { boundCases, deadLetterCases, defaultCases } from "./setting-cases.ts";
import { Side, whoseAtHand } from "./side.ts";
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
  "the REST API of resources": restResourceCases,
  "the REST API of messages": restMessageCases,
};

describe.each(whoseAtHand())("the Pub/Sub emulator, %s,", (whose) => {
  let side: Side;
  beforeAll(async () => {
    side = await Side.open(whose);
  });
  afterAll(() => side.close());

  for (const [title, cases] of Object.entries(tables)) describeCases(title, cases, () => side);
});
