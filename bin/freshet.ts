#!/usr/bin/env node
import { createRequire } from 'node:module';
import './require-node.cjs';
import './compile-cache.cjs';

// Nothing else is imported before the cache is on, which keeps what each file compiles to.
const { findBundle } = await import('./bundle/find-bundle.ts');
const program = await findBundle();
if (program === undefined) await import('./main.ts');
else createRequire(import.meta.url)('./bundle/load-program.cjs')(program);
