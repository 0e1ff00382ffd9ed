/**
 * What every callback must do: a battery for `node:test`, or another runner of tests.
 * @module
 */
import assert from "node:assert/strict";
import { nodeTest, type Tester } from "./tester.ts";
import type { Ask, Callback, TrainingEvent } from "../../core/types.ts";

/**
 * Tests a callback on the events of a run: its state is plain data, `on` changes nothing it is given, and wherever a run is
 * interrupted and resumed from JSON the same is asked for.
 */
export function callbackConformance(
  title: string,
  callback: Callback,
  events: readonly TrainingEvent[],
  test: Tester = nodeTest,
): void {
  const asks = (some: readonly TrainingEvent[], from: unknown): { asked: (Ask | undefined)[]; state: unknown } => {
    let state = from;
    const asked = some.map((event) => {
      const answer = callback.on(state, event);
      state = answer.state;
      return answer.ask;
    });
    return { asked, state };
  };
  const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

  test(`${title}: a state is plain data, and never changed in place`, () => {
    assert.equal(callback.kind, "callback");
    let state = callback.init();
    assert.deepEqual(json(state), state);
    for (const event of events) {
      const before = json(state);
      const { state: next } = callback.on(state, event);
      assert.deepEqual(state, before);
      assert.deepEqual(json(next), next);
      state = next;
    }
  });

  test(`${title}: asks for something, and for the same after any interruption`, () => {
    const whole = asks(events, callback.init());
    assert.ok(whole.asked.some((ask) => ask !== undefined), "the battery needs events that it answers");
    for (let at = 0; at <= events.length; at++) {
      const first = asks(events.slice(0, at), callback.init());
      const rest = asks(events.slice(at), json(first.state));
      assert.deepEqual([...first.asked, ...rest.asked], whole.asked);
      assert.deepEqual(rest.state, whole.state);
    }
  });

  test(`${title}: asks only for what there is`, () => {
    const known = new Set(["stop", "evaluate", "save", "keep", "learningRateFactor"]);
    for (const ask of asks(events, callback.init()).asked) {
      for (const name of Object.keys(ask ?? {})) assert.ok(known.has(name), name);
      if (ask?.stop !== undefined) assert.match(ask.stop, /^[A-Z]/);
    }
  });
}
