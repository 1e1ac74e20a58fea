import { type ChildProcess, fork } from 'node:child_process';
import { FreshetError } from '../../core/errors.ts';
import { findOwnFile } from '../own-files.ts';
import type { FromInference, ModelToOpen, ToInference, UnusableModel } from './inference-process.ts';

/** The vectors of a slice, one behind the other, and the tokens that the model was given. */
interface EmbeddedSlice {
  readonly vectors: Float32Array;
  readonly tokens: number;
}

/** A sentence model in a process of its own, which is started when it is first needed. */
export interface Inference {
  /**
   * Embeds a few texts; slices are worked on in the order in which they come.
   * @throws FreshetError `inference_crashed` where the process ended before it answered,
   *   `inference_failed` where it could not embed the texts, `model_file` and `model_unusable`
   *   where the model cannot be opened
   */
  embedSlice(texts: readonly string[]): Promise<EmbeddedSlice>;
  /**
   * Listens from now on. What it gives ends a process that has said nothing since; the next slice
   * starts another one. A process that says something is one that works, however long it takes.
   */
  listen(): () => void;
}

interface Waiting {
  readonly resolve: (answer: EmbeddedSlice) => void;
  readonly reject: (failure: FreshetError) => void;
}

/** A process that was started, and who waits for it. */
interface Running {
  readonly child: ChildProcess;
  readonly waiting: Map<number, Waiting>;
}

/** Variables that Node and the runtimes need. No other reaches the process: it needs no secret. */
const PASSED_VARIABLES = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TEMP',
  'SystemRoot',
  'LD_LIBRARY_PATH',
  'DYLD_LIBRARY_PATH',
];

/**
 * Makes a model that runs in a child process.
 * Inference in this process would stop its timers and its server meanwhile, and ending a process or
 * a worker thread in the middle of inference aborts with a core dump. A child can be killed at any
 * moment. It never keeps this process alive while nobody waits for it.
 */
export function createInference(model: ModelToOpen): Inference {
  let running: Running | undefined;
  let lastId = 0;
  // What the processes said, counted: their ends too, so that nobody ends the one that came after.
  let heard = 0;

  const start = (): Running => {
    const child = fork(
      findOwnFile('lib/adapters/local/inference-process.ts', 'lib/adapters/local/inference-process.js'),
      [],
      {
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        execArgv: [],
        env: Object.fromEntries(PASSED_VARIABLES.flatMap(name => readVariable(name))),
      },
    );
    const started: Running = { child, waiting: new Map() };
    const failAll = (failure: FreshetError) => {
      if (running === started) {
        running = undefined;
        heard += 1;
      }
      const waiting = [...started.waiting.values()];
      started.waiting.clear();
      for (const { reject } of waiting) reject(failure);
    };
    child.on('message', (message: FromInference) => {
      heard += 1;
      if ('unusable' in message) {
        failAll(unusableModel(message.unusable));
        child.kill('SIGKILL');
      } else if ('id' in message) {
        const asked = started.waiting.get(message.id);
        started.waiting.delete(message.id);
        if (started.waiting.size === 0) release(child);
        if ('failed' in message) asked?.reject(inferenceFailed());
        else asked?.resolve({ vectors: message.vectors, tokens: message.tokens });
      }
    });
    child.on('error', () => failAll(inferenceCrashed()));
    child.on('exit', () => failAll(inferenceCrashed()));
    tell(child, { open: model });
    return started;
  };

  return {
    embedSlice(texts) {
      running ??= start();
      const { child, waiting } = running;
      if (waiting.size === 0) hold(child);
      lastId += 1;
      const id = lastId;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        tell(child, { id, texts });
      });
    },
    listen() {
      const before = heard;
      return () => {
        if (running === undefined || running.waiting.size === 0 || heard > before) return;
        running.child.kill('SIGKILL');
        heard += 1;
        // Whoever comes before the end is noticed must not wait for the one that was ended.
        running = undefined;
      };
    },
  };
}

function readVariable(name: string): readonly [string, string][] {
  const value = process.env[name];
  return value === undefined ? [] : [[name, value]];
}

/** A channel that is closed is told by the end of the process, which fails whoever waits. */
function tell(child: ChildProcess, message: ToInference): void {
  child.send(message, () => undefined);
}

function hold(child: ChildProcess): void {
  child.ref();
  child.channel?.ref();
}

function release(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
}

function inferenceCrashed(): FreshetError {
  return new FreshetError('The process of the model ended before it answered.', {
    failureClass: 'transient',
    code: 'inference_crashed',
    advice:
      'If it happens again: free memory for it, or give the model smaller calls (limits.maxTextsPerCall).',
  });
}

function inferenceFailed(): FreshetError {
  return new FreshetError('The model could not embed the texts of a call.', {
    failureClass: 'transient',
    code: 'inference_failed',
  });
}

function unusableModel({ code, what }: UnusableModel): FreshetError {
  return new FreshetError(`The model cannot be used: ${what}`, { failureClass: 'stop', code });
}
