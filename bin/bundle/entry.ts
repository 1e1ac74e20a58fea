import { mapStacks } from './map-stacks.ts';

// The program in one bundle: its stacks name the files that it was made from.
mapStacks(import.meta.dirname);
void import('../main.ts');
