import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { chooseDatabase, readEnvironment } from '../../lib/wiring/workspace.ts';

const source = { name: 'a', table: 'a', text: { columns: ['t'] }, model: 'hash' };

function choose(given: { flag?: string; environment?: string; config?: string; demo?: boolean }) {
  return chooseDatabase({
    flag: given.flag,
    environment: readEnvironment({ DATABASE_URL: given.environment }),
    config: parseConfig({
      sources: [source],
      database: given.config === undefined ? {} : { url: given.config },
    }),
    demo: given.demo ?? false,
    directory: '/somewhere',
  });
}

describe('chooseDatabase', () => {
  it('takes the embedded database where nothing names another', () => {
    expect(choose({})).toEqual({ kind: 'embedded', directory: '/somewhere/.freshet/database' });
  });

  it('lets the flag win over the environment, and that over the configuration', () => {
    const config = 'postgres://config/db';
    const environment = 'postgres://environment/db';

    expect(choose({ config })).toMatchObject({ givenBy: 'database.url' });
    expect(choose({ config, environment })).toMatchObject({ givenBy: 'DATABASE_URL' });
    expect(choose({ config, environment, flag: 'postgres://flag/db' })).toMatchObject({
      givenBy: '--database-url',
      url: 'postgres://flag/db',
    });
  });

  it('keeps the demo off the database that another program exports, unless a flag names it', () => {
    const environment = 'postgres://environment/db';

    expect(choose({ demo: true, environment })).toMatchObject({ kind: 'embedded' });
    expect(choose({ demo: true, environment, flag: environment })).toMatchObject({ url: environment });
  });

  it('refuses what is no PostgreSQL URL without repeating it', () => {
    const attempt = () => choose({ flag: 'mysql://user:secret@host/db' });

    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow('--database-url is not a PostgreSQL URL.');
  });
});
