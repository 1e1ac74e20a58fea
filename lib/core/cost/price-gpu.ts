import { type GpuPlan, HOURS_PER_MONTH, HOURS_PER_WAKE } from './prices.ts';

const SECONDS_PER_HOUR = 3600;
const MILLION = 1e6;

/** US dollars for a million tokens while the instance is busy. */
export function usdPerMillionTokens({ instance, tokensPerSecond }: GpuPlan): number {
  return (instance.usdPerHour * MILLION) / (SECONDS_PER_HOUR * tokensPerSecond);
}

/**
 * US dollars for embedding `tokens` in one wake of an endpoint that scales to zero.
 * The price of the wake's start and idle end (`HOURS_PER_WAKE`) is included.
 */
export function priceOneWake(plan: GpuPlan, tokens: number): number {
  return (tokens / MILLION) * usdPerMillionTokens(plan) + plan.instance.usdPerHour * HOURS_PER_WAKE;
}

/**
 * Tokens per wake from which waking the instance is cheaper than the hosted price.
 * Undefined where a busy instance costs at least the hosted price per token.
 */
export function breakEvenTokensPerWake(plan: GpuPlan, hostedUsdPerMillion: number): number | undefined {
  const saved = hostedUsdPerMillion - usdPerMillionTokens(plan);
  return saved > 0 ? ((plan.instance.usdPerHour * HOURS_PER_WAKE) / saved) * MILLION : undefined;
}

/**
 * Tokens per month from which one instance that always runs is cheaper.
 * The result can exceed what the instance can embed in a month: compare `mostTokensPerMonth`.
 */
export function breakEvenTokensPerMonth({ instance }: GpuPlan, hostedUsdPerMillion: number): number {
  return ((instance.usdPerHour * HOURS_PER_MONTH) / hostedUsdPerMillion) * MILLION;
}

/** Tokens that one instance can embed in a month without a pause. */
export function mostTokensPerMonth({ tokensPerSecond }: GpuPlan): number {
  return tokensPerSecond * SECONDS_PER_HOUR * HOURS_PER_MONTH;
}
