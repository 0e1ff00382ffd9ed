import assert from "node:assert/strict";
import { it } from "node:test";
import { isIban, isLuhn, personalKinds, personalSpans } from "../../../blocks/transform/mod.ts";
import { checksOf } from "../../../conformance/mod.ts";
import { redact } from "../../../plugins/transforms/redact.ts";
import { itPasses } from "../../checks.ts";
import { soon } from "../../soon.ts";
import { itHolds } from "../../reference/evaluation/mod.ts";
import { columns, openThrough, through } from "./run_transforms.ts";

const rows = [{ text: "Write to a.b@c.example, or call +1 (555) 010-9891." }, { text: "nothing" }];
itPasses(
  "redact",
  checksOf(redact(), {
    rows,
    expected: [{ text: "Write to [EMAIL], or call [PHONE]." }, { text: "nothing" }],
    other: redact({ kinds: ["email"] }),
  }),
);

it("replaces by kind, by own texts, and what own expressions find", async () => {
  const text = "ABC-12 from 10.0.0.1, card 4111 1111 1111 1111, GB82 WEST 1234 5698 7654 32";
  const one = async (options: Parameters<typeof redact>[0]) => (await through([{ text }], [redact(options)]))[0]?.text;
  assert.equal(await one({}), "ABC-12 from [IP], card [CARD], [IBAN]");
  assert.equal(
    await one({ kinds: ["ip"], with: "***" }),
    "ABC-12 from ***, card 4111 1111 1111 1111, GB82 WEST 1234 5698 7654 32",
  );
  assert.equal(
    await one({ patterns: { ticket: "[A-Z]{3}-\\d+" }, with: { ip: "<ip>" } }),
    "[TICKET] from <ip>, card [CARD], [IBAN]",
  );
  // The longer one wins where two overlap.
  assert.equal(
    await one({ kinds: ["iban"], patterns: { digits: "[0-9]{4}" } }),
    "ABC-12 from 10.0.0.1, card [DIGITS] [DIGITS] [DIGITS] [DIGITS], [IBAN]",
  );
  const [report] = (await openThrough([{ text }], [redact()])).transforms ?? [];
  assert.deepEqual(report?.changed, { ip: 1, card: 1, iban: 1 });
  assert.throws(() => redact({ kinds: ["mail" as never] }), /"email"/);
});

it("answers and tags stay where they belong", async () => {
  const context = "Mail 😀 joe@example.org or Ann at once.";
  const row = { question: "Who?", context, answers: { text: ["Ann", "joe"], answer_start: [26, 7] } };
  const [redacted] = await through([row], [redact()], { columns: columns.questions });
  assert.equal(redacted?.context, "Mail 😀 [EMAIL] or Ann at once.");
  // Part of what is gone becomes what stands there.
  assert.deepEqual(redacted?.answers, { text: ["Ann", "[EMAIL]"], answer_start: [18, 7] });
  const words = [{
    tokens: ["Call", "(555)", "010-6373", "or", "x@y.example", "."],
    tags: ["O", "B", "I", "O", "E", "O"],
  }];
  assert.deepEqual(await through(words, [redact()], { columns: columns.tags }), [
    { tokens: ["Call", "[PHONE]", "or", "[EMAIL]", "."], tags: ["O", "B", "O", "E", "O"] },
  ]);
});

it("takes no longer for texts that nearly match", async () => {
  const nearly = [
    "+1" + "1".repeat(200_000),
    "a".repeat(200_000) + "@",
    "1-".repeat(100_000),
    "a.".repeat(100_000) + "@",
    "1:".repeat(100_000),
    "DE12" + " a".repeat(100_000),
    "(1)".repeat(60_000),
  ];
  for (const text of nearly) await soon(() => personalSpans(text + "x", personalKinds), text.slice(0, 8));
});

it("finds emails in letters of any script", async () => {
  const found = await through([{ text: "An müller@exämple.de, δοκιμή@παράδειγμα.δοκιμή und user@localhost." }], [
    redact(),
  ]);
  assert.deepEqual(found, [{ text: "An [EMAIL], [EMAIL] und user@localhost." }]);
});

it("finds phone numbers with their country before them", () => {
  for (const phone of ["1-800-555-0199", "1 (800) 555-0199", "(+49) 151 12345678", "1.800.555.0199"]) {
    assert.deepEqual(personalSpans(`call ${phone}, or 11-22`, ["phone"]), [{
      kind: "phone",
      from: 5,
      to: 5 + phone.length,
    }]);
  }
  assert.deepEqual(personalSpans("21-800-555-0199, 2024-01-02, (1) 23 45, x1-800-555-0199", ["phone"]), []);
});

it("misses nothing by a wrong name", async () => {
  assert.throws(() => redact({ with: { emial: "x" } }), /kinds and patterns alone that are looked for/);
  assert.throws(() => redact({ kinds: ["ip"], with: { email: "x" } }), /kinds and patterns alone/);
  assert.equal(redact({ patterns: { id: "x" }, with: { id: "y", ip: "z" } }).name, "redact");
  await assert.rejects(
    through([{ text: "a@b.co" }], [redact({ columns: ["txt"] })]),
    /no column "txt", did you mean "text"/,
  );
});

it("tests cards and accounts", () => {
  assert.deepEqual(["79927398713", "79927398710", ""].map(isLuhn), [true, false, false]);
  const accounts = [
    "GB82WEST12345698765432",
    "gb82west12345698765432",
    "GB82WEST12345698765433",
    "GB82WEST1234569876543",
    "XX82WEST12345698765432",
  ];
  assert.deepEqual(accounts.map(isIban), [true, true, false, false, false]);
});

await itHolds("pii");
