import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everyTemplate, type WrittenTemplate } from '../templates/every-template.ts';
import { ACKNOWLEDGED } from './acknowledged.ts';
import { type Finding, runLinters } from './run-linters.ts';

/** What no stack of ours may have, so that both linters are seen to find something. */
const FAULTY: WrittenTemplate = {
  name: 'faulty',
  body: {
    Resources: {
      Anybody: {
        Type: 'AWS::EC2::SecurityGroupIngress',
        Properties: { GroupId: 'sg-1', CidrIp: '0.0.0.0/0', IpProtocol: 'tcp', FromPort: 22, ToPort: 22 },
      },
      Misspelt: { Type: 'AWS::SQS::Queue', Properties: { VisibilityTimeuot: 30 } },
    },
  },
};

const covers = (finding: Finding) => (known: (typeof ACKNOWLEDGED)[number]) =>
  known.linter === finding.linter && known.rule === finding.rule && known.resources.test(finding.resource);

describe('cfn-lint and checkov', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'freshet-templates-'));
  let findings: readonly Finding[] = [];

  beforeAll(async () => {
    const found = await runLinters(process.env.TEMPLATE_LINTERS!, folder, [...everyTemplate(), FAULTY]);
    findings = found;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('find nothing in any template but what is acknowledged with its reason', () => {
    const others = findings.filter(
      finding => finding.template !== FAULTY.name && !ACKNOWLEDGED.some(covers(finding)),
    );

    expect(others).toEqual([]);
  });

  test('find each thing that is acknowledged', () => {
    const ours = findings.filter(({ template }) => template !== FAULTY.name);
    const stale = ACKNOWLEDGED.filter(known => !ours.some(finding => covers(finding)(known)));

    expect(stale).toEqual([]);
  });

  test('find what is wrong with a faulty template', () => {
    const rules = findings.filter(({ template }) => template === FAULTY.name).map(({ rule }) => rule);

    expect(rules).toEqual(expect.arrayContaining(['E3002', 'CKV_AWS_24']));
  });
});
