import { type GpuPlan, HOURS_PER_MONTH, HOURS_PER_WAKE } from './prices.ts';

const SECONDS_PER_HOUR = 3600;
const MILLION = 1e6;

/** US dollars for a million tokens while the instance is busy. */
export function usdPerMillionTokens({ instance, tokensPerSecond }: GpuPlan): number {
  return (instance.usdPerHour * MILLION) / (SECONDS_PER_HOUR * tokensPerSecond);
}

/** US dollars for so many tokens in one go, from zero and back to it. */
export function priceOneWake(plan: GpuPlan, tokens: number): number {
  return (tokens / MILLION) * usdPerMillionTokens(plan) + plan.instance.usdPerHour * HOURS_PER_WAKE;
}

/** Tokens in one go from which waking the instance is cheaper than the hosted price; undefined: it never is. */
export function breakEvenTokensPerWake(plan: GpuPlan, hostedUsdPerMillion: number): number | undefined {
  const saved = hostedUsdPerMillion - usdPerMillionTokens(plan);
  return saved > 0 ? ((plan.instance.usdPerHour * HOURS_PER_WAKE) / saved) * MILLION : undefined;
}

/** Tokens a month from which one instance that always runs is cheaper; more than it can do in a month is possible. */
export function breakEvenTokensPerMonth({ instance }: GpuPlan, hostedUsdPerMillion: number): number {
  return ((instance.usdPerHour * HOURS_PER_MONTH) / hostedUsdPerMillion) * MILLION;
}

/** Tokens that one instance can do in a month without a pause. */
export function mostTokensPerMonth({ tokensPerSecond }: GpuPlan): number {
  return tokensPerSecond * SECONDS_PER_HOUR * HOURS_PER_MONTH;
}
