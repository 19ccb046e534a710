import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { Clock } from "../../src/ops/clock.ts";
import { Logger } from "../../src/ops/logger.ts";
import { Heartbeat, HEARTBEAT_TOPIC, type HeartbeatPorts, type Patient } from "../../src/transport/heartbeat.ts";
import { FakeSockets } from "../support/progress.ts";

/** Divides into as many slices as there are here, of whole milliseconds. */
const INTERVAL_MS = 30_030;

class FakePatient implements Patient {
  readonly remote = { address: "127.0.0.1", port: 1 };
  look: Patient["look"];
  unanswered = 0;
  pings = 0;
  listens = false;
  faulty = false;
  /** Heartbeats that came by Bun's publish. */
  heard = 0;

  listen(on: boolean): void {
    if (on && this.faulty) throw new Error("a fault");
    this.listens = on;
  }

  ping(): void {
    this.pings++;
  }
}

type Stage = Partial<HeartbeatPorts<FakePatient>> & { intervalMs?: number };

/** Stops what the test has started. */
let stop = () => {};

function setUp(count: number, { intervalMs = INTERVAL_MS, ...ports }: Stage = {}) {
  const patients = new Set(Array.from({ length: count }, () => new FakePatient()));
  const lines: string[] = [];
  const slices: number[] = [];
  const givenUp: FakePatient[] = [];
  const heartbeat = new Heartbeat<FakePatient>(
    intervalMs,
    new Clock(),
    new Logger("info", "text", (line) => void lines.push(line)),
  );
  const publish = (topic: string, text: string, compress?: boolean): number => {
    expect([topic, text, compress]).toEqual([HEARTBEAT_TOPIC, expect.stringContaining('"msg":"ping"'), false]);
    const listeners = [...patients].filter(({ listens }) => listens);
    for (const patient of listeners) patient.heard++;
    slices.push(listeners.length);
    return 1;
  };
  const giveUp = (patient: FakePatient) => {
    givenUp.push(patient);
    patients.delete(patient);
  };
  stop = () => heartbeat.stop();
  heartbeat.start({ publish }, { patients, progress: undefined, giveUp, ...ports });
  const round = () => void jest.advanceTimersByTime(intervalMs);
  const add = () => {
    const patient = new FakePatient();
    patients.add(patient);
    return patient;
  };
  return { patients, slices, givenUp, lines, round, add, heartbeat };
}

/** The only patient of a heartbeat. */
function setUpOne({ progress }: Pick<Stage, "progress"> = {}) {
  const stage = setUp(0, { progress });
  return { ...stage, patient: stage.add() };
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  stop();
  jest.useRealTimers();
});

describe("a round", () => {
  for (const count of [0, 1, 8, 9, 100]) {
    test(`of ${count} patients is one heartbeat for each, in slices of at most eight`, () => {
      const { patients, slices, round } = setUp(count);
      for (let rounds = 1; rounds <= 3; rounds++) {
        for (const patient of patients) patient.unanswered = 0;
        round();
        expect([...patients].map(({ heard, pings }) => [heard, pings])).toEqual(Array(count).fill([rounds, rounds]));
        expect([...patients].filter(({ listens }) => listens)).toEqual([]);
      }
      expect(slices).toHaveLength(3 * Math.max(1, Math.ceil(count / 8)));
      expect(Math.max(...slices)).toBeLessThanOrEqual(8);
    });
  }

  test("is spread over the interval", () => {
    const { slices } = setUp(80);
    for (let slice = 1; slice <= 10; slice++) {
      jest.advanceTimersByTime(INTERVAL_MS / 10 - 1);
      expect(slices).toHaveLength(slice - 1);
      jest.advanceTimersByTime(1);
      expect(slices).toEqual(Array(slice).fill(8));
    }
  });

  test("of so many that slices of eight would come too fast has larger ones, four milliseconds apart", () => {
    const { patients, slices, round } = setUp(100, { intervalMs: 20 });
    round();
    expect(slices).toEqual([20, 20, 20, 20, 20]);
    expect([...patients].map(({ heard }) => heard)).toEqual(Array(100).fill(1));
  });

  test("passes over nobody, and nobody twice, while others come and go between its slices", () => {
    const { patients, add } = setUp(40);
    const stayed = [...patients].filter((_, index) => index % 4 !== 0);
    const left = [...patients].filter((_, index) => index % 4 === 0);
    for (let slice = 0; slice < 60; slice++) {
      for (const patient of patients) patient.unanswered = 0;
      const [leaving] = left.splice(slice % 3, 1);
      if (leaving !== undefined) patients.delete(leaving);
      const passing = add();
      jest.advanceTimersByTime(INTERVAL_MS / 5);
      patients.delete(passing);
      const heard = stayed.map((patient) => patient.heard);
      expect(Math.max(...heard) - Math.min(...heard), `after slice ${slice}`).toBeLessThanOrEqual(1);
    }
    expect(Math.min(...stayed.map(({ heard }) => heard))).toBeGreaterThan(5);
    expect(stayed.map(({ heard, pings }) => heard - pings)).toEqual(stayed.map(() => 0));
  });

  test("reaches those who come after it has begun with the next one at the latest", () => {
    const { round, add } = setUp(0);
    round();
    const late = add();
    round();
    expect(late.heard).toBe(1);
  });

  test("that was to be for nobody is spread over the many that came before it began", () => {
    const { slices, add, round, patients } = setUp(0);
    for (let i = 0; i < 80; i++) add();
    jest.advanceTimersByTime(INTERVAL_MS);
    expect(slices).toEqual([8]);
    round();
    expect(Math.max(...slices)).toBe(8);
    expect([...patients].map(({ heard }) => heard > 0)).toEqual(Array(80).fill(true));
  });

  test("goes on after a fault, which is logged", () => {
    const { patients, lines, round } = setUp(16);
    const [faulty] = patients;
    if (faulty === undefined) throw new Error();
    faulty.faulty = true;
    round();
    expect(lines).toEqual([expect.stringMatching(/ERROR fault in the heartbeat.*a fault/)]);
    faulty.faulty = false;
    for (const patient of patients) patient.unanswered = 0;
    const before = [...patients].map(({ heard }) => heard);
    round();
    expect([...patients].map(({ heard }) => heard)).toEqual(before.map((heard) => heard + 1));
  });

  test("does not come once the heartbeat is stopped, nor where its interval is 0", () => {
    const { slices, round, heartbeat } = setUp(3);
    round();
    heartbeat.stop();
    round();
    expect(slices).toHaveLength(1);
    const off = setUp(3, { intervalMs: 0 });
    expect(off.heartbeat.enabled).toBe(false);
    jest.advanceTimersByTime(INTERVAL_MS);
    expect(off.slices).toEqual([]);
  });
});

describe("one that answers nothing", () => {
  test("is given up at the third heartbeat, once, where nothing tells of bytes that move", () => {
    const { patient, givenUp, round } = setUpOne();
    round();
    round();
    expect([givenUp, patient.heard]).toEqual([[], 2]);
    round();
    expect([givenUp, patient.heard]).toEqual([[patient], 2]);
    round();
    expect(givenUp).toHaveLength(1);
  });

  test("does not lose anybody else of its slice the heartbeat", () => {
    const { patients, givenUp, round } = setUp(8);
    const [silent, ...others] = patients;
    for (let rounds = 0; rounds < 4; rounds++) {
      for (const other of others) other.unanswered = 0;
      round();
    }
    expect(givenUp).toEqual(silent === undefined ? [] : [silent]);
    expect(others.map(({ heard }) => heard)).toEqual(Array(7).fill(4));
  });

  test("lives on by any sign of life in between", () => {
    const { patient, givenUp, round } = setUpOne();
    for (let rounds = 0; rounds < 9; rounds++) {
      if (rounds % 2 === 0) patient.unanswered = 0;
      round();
    }
    expect([givenUp, patient.heard]).toEqual([[], 9]);
  });

  test("lives for as long as bytes move, and then is given up at the third heartbeat", () => {
    const sockets = new FakeSockets();
    const { patient, givenUp, round } = setUpOne(sockets);
    for (let rounds = 0; rounds < 20; rounds++) {
      sockets.take();
      round();
    }
    expect([givenUp, patient.heard]).toEqual([[], 20]);
    round();
    expect(givenUp).toEqual([]);
    round();
    expect(givenUp).toEqual([patient]);
  });

  test("is given up at the third heartbeat where its socket tells that nothing moves", () => {
    const { patient, givenUp, round } = setUpOne(new FakeSockets());
    round();
    round();
    expect(givenUp).toEqual([]);
    round();
    expect([givenUp, patient.heard]).toEqual([[patient], 2]);
  });

  test("is given up after ten heartbeats where its socket cannot be found", () => {
    const sockets = new FakeSockets();
    sockets.findable = false;
    const { patient, givenUp, round } = setUpOne(sockets);
    for (let rounds = 0; rounds < 10; rounds++) round();
    expect([givenUp, patient.heard]).toEqual([[], 10]);
    round();
    expect([givenUp, patient.heard]).toEqual([[patient], 10]);
  });

  test("is not looked for before it owes an answer, and the look is forgotten once it has answered", () => {
    const sockets = new FakeSockets();
    const { patient, round } = setUpOne(sockets);
    patient.unanswered = 0;
    round();
    expect([sockets.searches, patient.look]).toEqual([0, undefined]);
    round();
    expect(patient.look).toBeDefined();
    patient.unanswered = 0;
    round();
    expect(patient.look).toBeUndefined();
  });
});
