/** Outages: what counts as one, how long it is borne, and what is not borne at all. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { InputError, MachineError } from "../../engine/errors.ts";
import { isOutage, persist } from "./outage.ts";

const coded = (code: unknown, message = "words") => Object.assign(new Error(message), { code });

test.each<[string, unknown]>([
  ["a lost connection", coded("08006")],
  ["a shutdown", coded("57P01", "terminating connection due to administrator command")],
  ["a start-up", coded("57P03")],
  ["too many connections", coded("53300")],
  ["a deadlock", coded("40P01")],
  ["a race of transactions", coded("40001")],
  ["nobody at the port", coded("ECONNREFUSED")],
  ["a wire that was cut", coded("ECONNRESET")],
  ["a pipe that was cut", coded("EPIPE")],
  ["silence", coded("ETIMEDOUT")],
  ["no network", coded("ENETUNREACH")],
  ["no network any more", coded("ENETDOWN")],
  ["no way to the host", coded("EHOSTUNREACH")],
  ["no answer to a name", coded("EAI_AGAIN")],
  ["a query without an answer", new Error("Query read timeout")],
  ["an end in between", new Error("Connection terminated unexpectedly")],
  ["an end before", new Error("Connection ended")],
  ["a client that broke", new Error("Client was closed and is not queryable")],
  ["all addresses at once", new AggregateError([coded("ECONNREFUSED"), coded("EHOSTUNREACH")])],
])("%s is an outage", (_, error) => {
  expect(isOutage(error)).toBe(true);
});

test.each<[string, unknown]>([
  ["a wrong statement", coded("42601")],
  ["no right", coded("42501")],
  ["a second row of a cell", coded("23505", 'duplicate key "timeout"')],
  ["a query that was cancelled", coded("57014", "canceling statement due to statement timeout")],
  ["a code in the middle", coded("23408")],
  ["no such host", coded("ENOTFOUND")],
  ["a name with a code in it", coded("XECONNRESET")],
  ["a mistake of ours", new TypeError("x is not a function")],
  ["what is told of a study called timeout", new InputError("invalid engine in timeout-1")],
  ["half an outage", new AggregateError([coded("ECONNREFUSED"), new Error("words")])],
  ["no error", "timeout"],
  ["nothing", undefined],
])("%s is none", (_, error) => {
  expect(isOutage(error)).toBe(false);
});

// A clock that stands still but for the pauses.
const clock = vi.hoisted(() => ({ now: 0 }));
vi.mock("node:timers/promises", () => ({
  setTimeout: async (pause: number) => void (clock.now += pause),
}));
beforeEach(() => {
  clock.now = 12_345;
  vi.spyOn(performance, "now").mockImplementation(() => clock.now);
});
afterEach(() => vi.restoreAllMocks());

/** Work that fails so many times, and the milliseconds after which it was tried. */
function failing(times: number, error: Error) {
  const tried: number[] = [];
  const work = async () => {
    tried.push(clock.now - 12_345);
    if (tried.length <= times) throw error;
    return "done";
  };
  return { tried, work };
}

test("work is tried again after 0.1 s, then after twice as long each time, up to 5 s", async () => {
  const { tried, work } = failing(8, coded("40P01"));
  expect(await persist("db", work)).toBe("done");
  expect(tried).toEqual([0, 100, 300, 700, 1500, 3100, 6300, 11_300, 16_300]);
});

test("a server that stays away for five minutes is given up, with its last words", async () => {
  const error = coded("ECONNREFUSED", "connect refused");
  const { tried, work } = failing(Infinity, error);
  const thrown: unknown = await persist("db", work).catch((e: unknown) => e);
  expect(thrown).toBeInstanceOf(MachineError);
  expect(thrown).toMatchObject({
    message: "invalid store db: connect refused, for 300 s",
    cause: error,
  });
  const [last = 0, before = 0] = tried.toReversed();
  expect([last > 300_000, before <= 300_000]).toEqual([true, true]);
});

test("what is no outage is told at once", async () => {
  const error = new InputError("invalid engine in timeout-1");
  const { tried, work } = failing(1, error);
  await expect(persist("db", work)).rejects.toBe(error);
  expect(tried).toEqual([0]);
});
