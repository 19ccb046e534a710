import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { Clock } from "../../src/ops/clock.ts";
import { Heartbeat, HEARTBEAT_TOPIC, type HeartbeatPorts, type HeartbeatPeer } from "../../src/transport/heartbeat.ts";
import { makeLogger } from "../support/make-logger.ts";
import { FakeSockets } from "../support/progress.ts";

/** Divides into as many slices as there are here, of whole milliseconds. */
const INTERVAL_MS = 30_030;

class FakeHeartbeatPeer implements HeartbeatPeer {
  readonly remote = { address: "127.0.0.1", port: 1 };
  look: HeartbeatPeer["look"];
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

type Stage = Partial<HeartbeatPorts<FakeHeartbeatPeer>> & { intervalMs?: number };

/** Stops what the test has started. */
let stop = () => {};

function setUp(count: number, { intervalMs = INTERVAL_MS, ...ports }: Stage = {}) {
  const peers = new Set(Array.from({ length: count }, () => new FakeHeartbeatPeer()));
  const { lines, log } = makeLogger("info");
  const slices: number[] = [];
  const givenUp: FakeHeartbeatPeer[] = [];
  const heartbeat = new Heartbeat<FakeHeartbeatPeer>(intervalMs, new Clock(), log);
  const publish = (topic: string, text: string, compress?: boolean): number => {
    expect([topic, text, compress]).toEqual([HEARTBEAT_TOPIC, expect.stringContaining('"msg":"ping"'), false]);
    const listeners = [...peers].filter(({ listens }) => listens);
    for (const peer of listeners) peer.heard++;
    slices.push(listeners.length);
    return 1;
  };
  const giveUp = (peer: FakeHeartbeatPeer) => {
    givenUp.push(peer);
    peers.delete(peer);
  };
  stop = () => heartbeat.stop();
  let missed = 0;
  heartbeat.start({ publish }, { peers, progress: undefined, giveUp, missed: () => void missed++, ...ports });
  const round = () => void jest.advanceTimersByTime(intervalMs);
  const add = () => {
    const peer = new FakeHeartbeatPeer();
    peers.add(peer);
    return peer;
  };
  return { peers, slices, givenUp, lines, round, add, heartbeat, missed: () => missed };
}

/** The only peer of a heartbeat. */
function setUpOne({ progress }: Pick<Stage, "progress"> = {}) {
  const stage = setUp(0, { progress });
  return { ...stage, peer: stage.add() };
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
    test(`of ${count} peers is one heartbeat for each, in slices of at most eight`, () => {
      const { peers, slices, round } = setUp(count);
      for (let rounds = 1; rounds <= 3; rounds++) {
        for (const peer of peers) peer.unanswered = 0;
        round();
        expect([...peers].map(({ heard, pings }) => [heard, pings])).toEqual(Array(count).fill([rounds, rounds]));
        expect([...peers].filter(({ listens }) => listens)).toEqual([]);
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
    const { peers, slices, round } = setUp(100, { intervalMs: 20 });
    round();
    expect(slices).toEqual([20, 20, 20, 20, 20]);
    expect([...peers].map(({ heard }) => heard)).toEqual(Array(100).fill(1));
  });

  test("passes over nobody, and nobody twice, while others come and go between its slices", () => {
    const { peers, add } = setUp(40);
    const stayed = [...peers].filter((_, index) => index % 4 !== 0);
    const left = [...peers].filter((_, index) => index % 4 === 0);
    for (let slice = 0; slice < 60; slice++) {
      for (const peer of peers) peer.unanswered = 0;
      const [leaving] = left.splice(slice % 3, 1);
      if (leaving !== undefined) peers.delete(leaving);
      const passing = add();
      jest.advanceTimersByTime(INTERVAL_MS / 5);
      peers.delete(passing);
      const heard = stayed.map((peer) => peer.heard);
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
    const { slices, add, round, peers } = setUp(0);
    for (let i = 0; i < 80; i++) add();
    jest.advanceTimersByTime(INTERVAL_MS);
    expect(slices).toEqual([8]);
    round();
    expect(Math.max(...slices)).toBe(8);
    expect([...peers].map(({ heard }) => heard > 0)).toEqual(Array(80).fill(true));
  });

  test("goes on after a fault, which is logged", () => {
    const { peers, lines, round } = setUp(16);
    const [faulty] = peers;
    if (faulty === undefined) throw new Error();
    faulty.faulty = true;
    round();
    expect(lines).toEqual([expect.stringMatching(/ERROR fault in the heartbeat.*a fault/)]);
    faulty.faulty = false;
    for (const peer of peers) peer.unanswered = 0;
    const before = [...peers].map(({ heard }) => heard);
    round();
    expect([...peers].map(({ heard }) => heard)).toEqual(before.map((heard) => heard + 1));
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
    const { peer, givenUp, round } = setUpOne();
    round();
    round();
    expect([givenUp, peer.heard]).toEqual([[], 2]);
    round();
    expect([givenUp, peer.heard]).toEqual([[peer], 2]);
    round();
    expect(givenUp).toHaveLength(1);
  });

  test("does not lose anybody else of its slice the heartbeat", () => {
    const { peers, givenUp, round } = setUp(8);
    const [silent, ...others] = peers;
    for (let rounds = 0; rounds < 4; rounds++) {
      for (const other of others) other.unanswered = 0;
      round();
    }
    expect(givenUp).toEqual(silent === undefined ? [] : [silent]);
    expect(others.map(({ heard }) => heard)).toEqual(Array(7).fill(4));
  });

  test("lives on by any sign of life in between", () => {
    const { peer, givenUp, round } = setUpOne();
    for (let rounds = 0; rounds < 9; rounds++) {
      if (rounds % 2 === 0) peer.unanswered = 0;
      round();
    }
    expect([givenUp, peer.heard]).toEqual([[], 9]);
  });

  test("lives for as long as bytes move, and then is given up at the third heartbeat", () => {
    const sockets = new FakeSockets();
    const { peer, givenUp, round } = setUpOne(sockets);
    for (let rounds = 0; rounds < 20; rounds++) {
      sockets.take();
      round();
    }
    expect([givenUp, peer.heard]).toEqual([[], 20]);
    round();
    expect(givenUp).toEqual([]);
    round();
    expect(givenUp).toEqual([peer]);
  });

  test("is given up at the third heartbeat where its socket tells that nothing moves", () => {
    const { peer, givenUp, round } = setUpOne(new FakeSockets());
    round();
    round();
    expect(givenUp).toEqual([]);
    round();
    expect([givenUp, peer.heard]).toEqual([[peer], 2]);
  });

  test("is given up after ten heartbeats where its socket cannot be found", () => {
    const sockets = new FakeSockets();
    sockets.findable = false;
    const { peer, givenUp, round } = setUpOne(sockets);
    for (let rounds = 0; rounds < 10; rounds++) round();
    expect([givenUp, peer.heard]).toEqual([[], 10]);
    round();
    expect([givenUp, peer.heard]).toEqual([[peer], 10]);
  });

  test("is not looked for before it owes an answer, and the look is forgotten once it has answered", () => {
    const sockets = new FakeSockets();
    const { peer, round } = setUpOne(sockets);
    peer.unanswered = 0;
    round();
    expect([sockets.searches, peer.look]).toEqual([0, undefined]);
    round();
    expect(peer.look).toBeDefined();
    peer.unanswered = 0;
    round();
    expect(peer.look).toBeUndefined();
  });
});
