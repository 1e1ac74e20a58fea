// Lets Node keep what it compiled between two commands, and the JavaScript it made of TypeScript.
// Without a folder that it may write to, or with NODE_DISABLE_COMPILE_CACHE, Node compiles anew;
// NODE_COMPILE_CACHE names another folder. It is plain JavaScript, and so costs no type stripping.
'use strict';

require('node:module').enableCompileCache?.(require('node:path').join(__dirname, '../.cache/compiled'));
