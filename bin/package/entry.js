#!/usr/bin/env node
// The command of an installed package: refuses an old Node, then loads the program of the build.
import './require-node.cjs';
import './compile-cache.cjs';

await import('../program/entry.cjs');
