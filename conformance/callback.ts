/** Checks of callbacks. */
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import { loggedEvents } from "./logger.ts";
import type { Callback, TrainerControl, TrainingEvent } from "../kit.ts";

/** Events to which the callback reacts. Default: the events of a run of three epochs, which it may ignore. */
export type CallbackFigures = Readonly<{ events?: readonly TrainingEvent[] }>;

/**
 * Returns the checks of a callback on the events of a run: its state is plain data, `on` does not change its arguments,
 * and it makes the same requests wherever a run is interrupted and resumed from JSON.
 */
export function callbackChecks(callback: Callback, figures: CallbackFigures): readonly Check[] {
  const { events = loggedEvents } = figures;
  const asks = (
    some: readonly TrainingEvent[],
    from: unknown,
  ): { requests: (TrainerControl | undefined)[]; state: unknown } => {
    let state = from;
    const requests = some.map((event) => {
      const answer = callback.on(state, event);
      state = answer.state;
      return answer.ask;
    });
    return { requests, state };
  };
  const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

  return [
    check("a state is plain data, and never changed in place", () => {
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
    }),
    check("asks for something, and for the same after any interruption", () => {
      const whole = asks(events, callback.init());
      const answers = whole.requests.some((ask) => ask !== undefined);
      assert.ok(figures.events === undefined || answers, "figures.events has none that it answers");
      for (let at = 0; at <= events.length; at++) {
        const first = asks(events.slice(0, at), callback.init());
        const rest = asks(events.slice(at), json(first.state));
        assert.deepEqual([...first.requests, ...rest.requests], whole.requests);
        assert.deepEqual(rest.state, whole.state);
      }
    }),
    check("asks only for what there is", () => {
      const known = new Set(["stop", "evaluate", "save", "keep", "learningRateFactor"]);
      for (const ask of asks(events, callback.init()).requests) {
        for (const name of Object.keys(ask ?? {})) assert.ok(known.has(name), name);
        if (ask?.stop !== undefined) assert.match(ask.stop, /^[A-Z]/);
      }
    }),
  ];
}
