import { defineConfig } from '../../lib/core/config/define-config.ts';

/** What `npm start` runs when the current folder has no `freshet.config.ts`: an embedded database with a sample of WordNet. */
export default defineConfig({
  sources: [
    {
      name: 'ai_items',
      table: 'public.ai_items',
      updatedAt: 'updated_at',
      text: { columns: ['title', 'summary', 'tags'] },
      // 'static' comes with Freshet and knows English words. 'openai': OpenAI's text-embedding-3-small, with OPENAI_API_KEY
      // set. 'ollama': nomic-embed-text on this machine.
      model: 'static',
    },
  ],
  // What `npx cdk synth` describes. The ids are made up: put your own here before `npx cdk deploy`.
  aws: {
    stages: {
      dev: {
        vpc: {
          vpcId: 'vpc-0123456789abcdef0',
          availabilityZones: ['us-east-1a', 'us-east-1b'],
          privateSubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
        },
        database: {
          host: 'demo.cluster-abcdefghijkl.us-east-1.rds.amazonaws.com',
          name: 'demo',
          secretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:freshet/demo-AbCdEf',
          securityGroupId: 'sg-0123456789abcdef0',
        },
      },
    },
  },
});
