type Method = 'GET' | 'POST' | 'DELETE';

/** Addresses with the method that each one takes; a step in braces is any text. */
export type Routes = Readonly<Record<string, Method>>;

interface FoundRoute {
  /** As it stands in the table: what a client wrote is in no metric. */
  readonly route: string;
  /** Methods that the address takes. */
  readonly methods: readonly Method[];
}

/**
 * Makes what finds the route of a request by its path.
 * Where several fit, one of the asked method is taken, and the one without braces before others.
 */
export function createRouteFinder(routes: Routes): (path: string, method: string) => FoundRoute | undefined {
  const table = Object.entries(routes).map(([route, method]) => ({ route, method, steps: route.split('/') }));
  table.sort((a, b) => countOpen(a.steps) - countOpen(b.steps));
  const findFitting = (path: string) => {
    const steps = path.split('/');
    return table.filter(entry => fits(entry.steps, steps));
  };
  // Each request asks several times, nearly always for one of these.
  const known = new Map(Object.keys(routes).map(route => [route, findFitting(route)]));
  return (path, method) => {
    const fitting = known.get(path) ?? findFitting(path);
    const found = fitting.find(entry => entry.method === (method === 'HEAD' ? 'GET' : method)) ?? fitting[0];
    return found && { route: found.route, methods: fitting.map(entry => entry.method) };
  };
}

const countOpen = (steps: readonly string[]) => steps.filter(step => step.startsWith('{')).length;

function fits(pattern: readonly string[], steps: readonly string[]): boolean {
  return (
    pattern.length === steps.length &&
    pattern.every((step, place) => (step.startsWith('{') ? steps[place] !== '' : step === steps[place]))
  );
}
