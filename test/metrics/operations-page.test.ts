import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { describe, expect, test } from 'vitest';
import { EmbeddingPipeline } from '../../lib/constructs/embedding-pipeline.ts';
import { ALARM_KINDS, type AlarmKindName, describeAlarm, PAGE_GROUPS } from '../../lib/core/alarms.ts';
import { createGpuStack } from '../factories/gpu-endpoint-stack.ts';
import { createObservedStack, webhookSecret } from '../factories/observed-stack.ts';
import { configInput, createApp, demoSecret, noAssets, openAiSecret } from '../factories/pipeline-stack.ts';
import { importClosure } from '../import-closure.ts';

const DOCS = path.join(import.meta.dirname, '../../docs');
const PAGE = path.join(DOCS, 'operations.md');

const page = readFileSync(PAGE, 'utf8');
const kinds = Object.keys(ALARM_KINDS) as AlarmKindName[];
const sections = new Map(
  [...page.matchAll(/^### (.+)\n\n([\s\S]*?)(?=^#{1,3} |$(?![\s\S]))/gm)].map(match => [
    match[1]!,
    match[2]!,
  ]),
);

describe('docs/operations.md', () => {
  test('has a section for each kind of alarm, and no other', () => {
    expect([...sections.keys()].sort()).toEqual([...kinds].sort());
  });

  test.each(kinds)('says of %s whether it wakes somebody, how to confirm it and what to type', kind => {
    const section = sections.get(kind) ?? '';

    expect(section.startsWith(`*${ALARM_KINDS[kind].severity}.* `)).toBe(true);
    expect(section).toMatch(/^\* Confirm: /m);
    expect(section).toMatch(/^\* Do: /m);
    expect(section).toMatch(/npm run freshet -- aws |npm run deploy -- |aws [a-z-]+ [a-z-]+ /);
    expect(describeAlarm(kind, { stage: 'prod' })).toContain(`docs/operations.md#${kind}`);
  });

  test.each(kinds)('has under %s what the alarm itself says to type first', kind => {
    const [, command = ''] =
      /First: `(.+?)`\. What/.exec(describeAlarm(kind, { stage: 'prod' }, '<of>')) ?? [];
    const [before, after] = command.split('<of>');

    expect(before).not.toBe('');
    expect(sections.get(kind)).toContain(before);
    expect(sections.get(kind)).toContain(after ?? '');
  });

  test('names no event of a log that nobody writes', () => {
    const sources = ['detect', 'embed', 'write', 'guard', 'notify', 'api']
      .flatMap(name => [...importClosure(`functions/${name}/handler.ts`).values()])
      .join('\n');
    const pages = Object.keys(PAGE_GROUPS).map(group => `freshet-prod-page-${group}`);
    const places = [...kinds, ...pages, 'freshet-prod', 'freshet-prod-gpu'];
    const named = [...page.matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, name]) => name!);

    const events = named.filter(name => !places.includes(name) || name === 'orphan-removal-stopped');
    expect(events.length).toBeGreaterThan(3);
    for (const name of events) expect(sources, name).toContain(`('${name}'`);
    for (const [, code] of page.matchAll(/`provider:([a-z_]+)`/g)) expect(sources).toContain(`'${code}'`);
  });

  test('takes from the outputs of the stacks only what is there, and leaves no placeholder unexplained', () => {
    const outputs = [
      createObservedStack({ gpu: true }).template,
      Template.fromStack(createGpuStack()),
    ].flatMap(template => Object.keys(template.findOutputs('*')));
    const taken = [...page.matchAll(/\boutput ([A-Z]\w+)/g)].map(([, name]) => name!);
    const explained = [...page.matchAll(/(?:export |^\s*)([A-Z][A-Z_]+)=|`\$([A-Z][A-Z_]+)` is/gm)].map(
      ([, set, told]) => set ?? told,
    );
    const used = new Set([...page.matchAll(/\$([A-Z][A-Z_]+)/g)].map(([, name]) => name!));

    expect(taken.length).toBeGreaterThan(5);
    for (const name of taken) expect(outputs).toContain(name);
    expect([...used].filter(name => !explained.includes(name))).toEqual([]);
  });

  test('takes from a stack of one’s own, by the id of the construct, exactly one value each', () => {
    const stack = new Stack(createApp(), 'shop', { env: { account: '111122223333', region: 'eu-west-1' } });
    for (const stage of ['blog', 'store'])
      new EmbeddingPipeline(stack, `Embeddings-${stage}`, {
        config: configInput({ models: ['openai'] }),
        vpc: new Vpc(stack, `Network-${stage}`) as never,
        database: { host: 'db.example.com', name: 'app', secretArn: demoSecret },
        providerSecrets: { openai: openAiSecret },
        alarms: { webhook: { secretArn: webhookSecret } },
        stage,
        assets: noAssets,
      });
    const outputs = Object.keys(Template.fromStack(stack).findOutputs('*'));
    // The endpoint of a GPU is in the stack that `npm run deploy` makes.
    const taken = [...page.matchAll(/\$\(output ([A-Z]\w+)/g)].map(([, name]) => name!);

    expect(taken.length).toBeGreaterThan(5);
    expect(page).toContain("[?starts_with(OutputKey,'$PIPELINE$1') && ('$PIPELINE' || OutputKey=='$1')]");
    for (const name of taken)
      for (const pipeline of ['Embeddingsblog', 'Embeddingsstore'])
        expect(
          outputs.filter(key => key.startsWith(`${pipeline}${name}`)),
          name,
        ).toHaveLength(1);
  });

  test('has each right that its lines for the AWS CLI take in the list for whoever is on call', () => {
    const prefixes: Readonly<Record<string, string>> = { 'service-quotas': 'servicequotas' };
    const actions: Readonly<Record<string, string>> = {
      'logs tail': 'FilterLogEvents',
      'lambda invoke': 'InvokeFunction',
    };
    const rights = [...page.matchAll(/\baws ([a-z-]+) ([a-z][a-z-]+)/g)].map(([, service, command]) => {
      const pascal = command!.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return `${prefixes[service!] ?? service}:${actions[`${service} ${command}`] ?? pascal}`;
    });
    const deployment = readFileSync(path.join(DOCS, 'deployment.md'), 'utf8');

    expect(new Set(rights).size).toBeGreaterThan(8);
    for (const right of rights) expect(deployment).toContain(`\`${right}\``);
  });

  test('links only to pages and sections that are there', () => {
    const anchors = [...page.matchAll(/^#{1,3} (.+)$/gm)].map(([, heading]) =>
      heading!.toLowerCase().replaceAll(' ', '-'),
    );
    for (const [, target] of page.matchAll(/\]\(([^)]+)\)/g)) {
      const [file, anchor] = target!.split('#');
      if (file !== '') expect(() => readFileSync(path.join(DOCS, file!))).not.toThrow();
      else expect(anchors).toContain(anchor);
    }
  });
});
