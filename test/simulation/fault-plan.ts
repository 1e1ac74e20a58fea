import type { Random } from './random.ts';

/** Highest rates that a seed may draw, per port call, message or provider call. */
const RATES = {
  crash: 0.02,
  failBefore: 0.04,
  failAfter: 0.04,
  slow: 0.04,
  duplicate: 0.25,
  lostMessage: 0.04,
  lostDelete: 0.1,
  refusedSend: 0.1,
  missingObject: 0.06,
  corruptObject: 0.04,
  throttled: 0.4,
  outage: 0.3,
  billedTimeout: 0.15,
  wrongCount: 0.15,
  wrongIndex: 0.1,
  unusableVector: 0.15,
  wrongDimensions: 0.04,
  keyRevoked: 0.06,
  reordered: 0.5,
  commitBetweenStatements: 0.3,
} as const;

/** Shares of rows, and things that happen a few times in a run or not at all. */
const OCCASIONS = {
  refusedTexts: 0.3,
  killerTexts: 0.2,
  garbageMessages: 2,
  pauses: 2,
  clockSteps: 2,
  lostPolicies: 1,
  emptiedTables: 1,
  lostLeases: 1,
  retirements: 1,
  overlappingDetections: 3,
  databaseStops: 1,
  faultySources: 1,
} as const;

export type FaultName = keyof typeof RATES | keyof typeof OCCASIONS;
export type FaultPlan = Readonly<Record<FaultName, number>>;

const NAMES = [...Object.keys(RATES), ...Object.keys(OCCASIONS)] as FaultName[];

export const NO_FAULTS = Object.fromEntries(NAMES.map(name => [name, 0])) as FaultPlan;

/** One seed in eight is free of faults, so that exact bounds can be checked; one in eight has a single kind; the others about a third of all. */
export function drawFaultPlan(random: Random): FaultPlan {
  const kind = random.below(8);
  if (kind === 0) return NO_FAULTS;
  const only = kind === 1 ? random.pick(NAMES) : undefined;
  const plan = { ...NO_FAULTS } as Record<FaultName, number>;
  for (const name of NAMES) {
    const isOn = only === undefined ? random.chance(0.3) : name === only;
    if (!isOn) continue;
    const most =
      name in RATES ? RATES[name as keyof typeof RATES] : OCCASIONS[name as keyof typeof OCCASIONS];
    plan[name] = most >= 1 ? random.between(1, most) : most * (0.2 + 0.8 * random.fraction());
  }
  return plan;
}
