#!/usr/bin/env node
import './require-node.cjs';
import './compile-cache.cjs';

// Nothing else is imported before the cache is on, which keeps what each file compiles to.
const { findBundle } = await import('./bundle/find-bundle.ts');
await import((await findBundle()) ?? './main.ts');
