import type { Behaviour } from './behaviour.ts';
import { AZURE_BEHAVIOURS, OPENAI_BEHAVIOURS } from './openai-behaviours.ts';
import { SAGEMAKER_BEHAVIOURS } from './sagemaker-behaviours.ts';
import { HTTP_BEHAVIOURS, OLLAMA_BEHAVIOURS } from './server-behaviours.ts';
import { STATUS_BEHAVIOURS } from './status-behaviours.ts';
import { TRANSPORT_BEHAVIOURS } from './transport-behaviours.ts';
import { VECTOR_BEHAVIOURS } from './vector-behaviours.ts';

export const BEHAVIOUR_GROUPS: readonly (readonly [title: string, behaviours: readonly Behaviour[]])[] = [
  ['Connections and bodies', TRANSPORT_BEHAVIOURS],
  ['Vectors', VECTOR_BEHAVIOURS],
  ['Statuses and waits', STATUS_BEHAVIOURS],
  ["OpenAI's API and its imitations", OPENAI_BEHAVIOURS],
  ['OpenAI at Azure', AZURE_BEHAVIOURS],
  ['A /v1/embed service', HTTP_BEHAVIOURS],
  ['Ollama', OLLAMA_BEHAVIOURS],
  ['SageMaker and TEI', SAGEMAKER_BEHAVIOURS],
];
