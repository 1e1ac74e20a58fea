import { describe, expect, it } from 'vitest';
import { describeUnanswered, FIRST_PACE, isUnanswered, learnPace, type Pace } from '../../lib/core/pace.ts';

const BOUNDS = { timeoutSeconds: 60, mostTexts: 100, mostCalls: 4 };

const answered = (texts: number, seconds: number, callsAtOnce = 1) => ({
  ...{ isAnswered: true, texts, tokens: 10 * texts, seconds, callsAtOnce },
});
const unanswered = (texts: number, callsAtOnce = 1) => ({
  ...answered(texts, 60, callsAtOnce),
  isAnswered: false,
});
const learnAll = (calls: readonly ReturnType<typeof answered>[], pace: Pace = FIRST_PACE) =>
  calls.reduce((known, call) => learnPace(known, call, BOUNDS), pace);

describe('the pace of a server', () => {
  it('has no limit where even one call after the other would be answered in time', () => {
    expect(learnAll([answered(100, 0.3)])).toMatchObject({ textsPerCall: null, callsAtOnce: null });
  });

  it('halves texts and calls at once after a call without an answer, though nothing succeeded yet', () => {
    expect(learnAll([unanswered(100)])).toMatchObject({ textsPerCall: 50, callsAtOnce: 1 });
    expect(learnAll([unanswered(100, 4)], { ...FIRST_PACE, callsAtOnce: null })).toMatchObject({
      textsPerCall: 50,
      callsAtOnce: 2,
    });
    expect(learnAll([unanswered(100), unanswered(50), unanswered(25), unanswered(2)])).toMatchObject({
      textsPerCall: 1,
      callsAtOnce: 1,
    });
  });

  it('learns nothing of the texts per call from one text alone, which may be at fault itself', () => {
    expect(learnAll([unanswered(1)]).textsPerCall).toBeNull();
    expect(learnAll([unanswered(100), unanswered(1)]).textsPerCall).toBe(50);
  });

  it('halves once where several calls of one size got no answer together', () => {
    const calls = [4, 3, 2, 1].map(callsAtOnce => unanswered(100, callsAtOnce));

    expect(learnAll(calls)).toMatchObject({ textsPerCall: 50, callsAtOnce: 1 });
  });

  it('allows a serial server two calls at once, so that it is busy and does not drown', () => {
    const alone = learnAll([answered(100, 15)]);
    expect(alone).toMatchObject({ textsPerCall: null, callsAtOnce: 2 });

    const beside = learnAll([answered(100, 15), answered(100, 30, 2), answered(100, 30, 2)], alone);
    expect(beside.callsAtOnce).toBe(2);
  });

  it('allows a server that answers in parallel one call more with each answer', () => {
    const calls = [1, 2, 3].map(callsAtOnce => answered(100, 25, callsAtOnce));

    expect(learnAll(calls).callsAtOnce).toBe(4);
  });

  it('makes calls smaller in proportion before they reach the time-out', () => {
    expect(learnAll([answered(50, 50)])).toMatchObject({ textsPerCall: 30 });
  });

  it('grows by steps where answers are quick again, and loses its limits in the end', () => {
    const slow = { textsPerCall: 10, callsAtOnce: 1, secondsPerToken: 0.1 };
    const sizes: (number | null)[] = [];
    let pace: Pace = slow;
    for (let call = 0; call < 12 && pace.textsPerCall !== null; call += 1) {
      pace = learnPace(pace, answered(pace.textsPerCall, 0.2), BOUNDS);
      sizes.push(pace.textsPerCall);
    }

    expect(sizes).toEqual([20, 30, 40, 50, 60, 70, 80, 90, null]);
    expect(pace.callsAtOnce).toBeNull();
  });

  it('never grows to a size that would not be answered in time', () => {
    expect(learnAll([answered(1, 14)], { ...FIRST_PACE, textsPerCall: 1 }).textsPerCall).toBe(2);
  });

  it('counts time-outs, resets and gateways that waited in vain as calls without an answer', () => {
    expect(['timeout', 'http_504', 'network_econnreset'].filter(isUnanswered)).toHaveLength(3);
    expect(['http_500', 'network_econnrefused', 'rate_limit'].filter(isUnanswered)).toEqual([]);
  });

  it('says what was seen and which limits to set', () => {
    const sentence = describeUnanswered('acme', { texts: 50, seconds: 60 }, 'timeout');

    expect(sentence).toContain('a call of 50 texts in 60 s (timeout)');
    expect(sentence).toContain('models.acme.limits.maxTextsPerCall below 50');
    expect(sentence).toContain('models.acme.timeoutSeconds above 60');
  });
});
