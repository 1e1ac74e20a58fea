import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { explainConnectionFailure } from '../../../lib/adapters/postgres/explain-failure.ts';
import { classifyDatabaseFailure } from '../../../lib/core/failures.ts';
import { wordsOfSqlState } from '../../../lib/core/sqlstates.ts';
import { wordEnd } from '../../../lib/core/word-end.ts';

/** Every error of PostgreSQL 17 in the classes that Freshet can meet, by class; from its errcodes.txt. */
const STATES = {
  '08': '000 003 006 001 004 007 P01',
  '0A': '000',
  '21': '000',
  '22': '000 02E 021 008 012 005 00B 022 015 01E 014 016 01F 01G 018 007 019 00D 025 P06 010 023 013 01B 01W 01X 02H 02G 009 00C 00G 004 002 003 00H 026 001 011 027 024 00F P01 P02 P03 P04 P05 P07 00L 00M 00N 00S 00T 030 031 032 033 034 035 036 037 038 039 03A 03B 03C 03D 03E 03F 03G',
  '23': '000 001 502 503 505 514 P01',
  '25': '000 001 002 008 003 004 005 006 007 P01 P02 P03 P04',
  '26': '000',
  '28': '000 P01',
  '3D': '000',
  '3F': '000',
  '40': '000 002 001 003 P01',
  '42': '000 601 501 846 803 P20 P19 830 602 622 939 804 P18 P21 P22 809 8C9 703 883 P01 P02 704 701 P03 P04 723 P05 P06 P07 712 710 702 725 P08 P09 P10 611 P11 P12 P13 P14 P15 P16 P17',
  '53': '000 100 200 300 400',
  '54': '000 001 011 023',
  '55': '000 006 P02 P03 P04',
  '57': '000 014 P01 P02 P03 P04 P05',
  '58': '000 030 P01 P02',
  XX: '000 001 002',
};

const target = { server: 'PostgreSQL at host:5432', user: 'a"da', database: 'sh"op' };

describe('the words of SQLSTATEs', () => {
  it.each(Object.entries(STATES))('say what each state of class %s means and what to do', (group, states) => {
    for (const state of states.split(' ').map(rest => `${group}${rest}`)) {
      const words = wordsOfSqlState(state);

      expect(words, state).toBeDefined();
      expect(words?.meaning, state).toMatch(/^[a-z].{10,}[^.]$/);
      expect(words?.remedy, state).toMatch(/^\S.{10,}$/);
      const { message, failureClass } = classifyDatabaseFailure({ sqlState: state });
      expect(message).toContain(`(sqlstate_${state}): ${words?.meaning}.`);
      expect(message).toContain(words?.remedy ?? '');
      expect(message).not.toContain('not known');
      expect(message.includes('It is tried again.'), message).toBe(failureClass === 'transient');
      expect(wordEnd(message), 'once it has ended a command').not.toMatch(/it is tried again/i);
      expect(wordEnd(message).includes('Nothing is tried again by itself.')).toBe(
        failureClass === 'transient',
      );
    }
  });

  it.each(Object.entries(STATES))(
    'are true of a refused connection, whatever state of class %s',
    (group, states) => {
      const client = { host: 'db.example', port: 5432, user: 'ada', database: 'shop' } as pg.Client;
      for (const state of states.split(' ').map(rest => `${group}${rest}`)) {
        const { message } = explainConnectionFailure(
          Object.assign(new Error('secret'), { code: state }),
          client,
        );

        expect(message, state).toMatch(/PostgreSQL at db\.example:5432/);
        expect(message, state).toMatch(/Nothing is tried again by itself\.$/);
        expect(message, state).not.toMatch(/is tried again\.|of one row|Nothing can be written|secret/);
      }
    },
  );

  it('name each limit that leaves no connection free', () => {
    const client = { host: 'db.example', port: 5432, user: 'ada', database: 'shop' } as pg.Client;
    const { message } = explainConnectionFailure(Object.assign(new Error(''), { code: '53300' }), client);

    for (const limit of [message, wordsOfSqlState('53300')?.remedy ?? ''])
      expect(limit).toMatch(/max_connections, or the CONNECTION LIMIT of role or database/);
  });

  it('hold for every row of the table some state that is met', () => {
    const states = Object.entries(STATES).flatMap(([group, rest]) => rest.split(' ').map(end => group + end));
    const met = new Set(states.map(wordsOfSqlState));

    expect(met.size).toBeGreaterThan(30);
    for (const words of met) {
      if (words?.connecting === undefined) continue;
      const { message, statement } = words.connecting(target);
      expect(message).toContain(target.server);
      expect(statement ?? '').not.toMatch(/"(sh"op|a"da)"/);
    }
  });

  it('are words of ours for a state that PostgreSQL does not have', () => {
    expect(classifyDatabaseFailure({ sqlState: '99ZZ9' }).message).toContain('Freshet has no words for it');
  });
});
