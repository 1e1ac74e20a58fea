import type { FailureClass } from './model.ts';
import { FRESHET } from './own-command.ts';

/** A server that refused a connection, as sentences name it. */
export interface ConnectionTarget {
  /** `PostgreSQL at host:port`. */
  readonly server: string;
  readonly user: string;
  readonly database: string;
}

/** What SQLSTATEs mean, whether their failure is tried again, and what a person does. */
interface SqlStateWords {
  readonly states: RegExp;
  readonly failureClass: FailureClass;
  /** A clause: what happened. */
  readonly meaning: string;
  /** Sentences: what a person does. */
  readonly remedy: string;
  /** A sentence: what a pooler in front of the server means by this SQLSTATE at connecting. */
  readonly pooler?: string;
  /** The words for a refused connection, where `meaning` and `remedy` do not serve. */
  readonly connecting?: (target: ConnectionTarget) => {
    readonly message: string;
    /** A statement to paste. */
    readonly statement?: string;
  };
}

const DOCTOR = `${FRESHET} doctor`;
const DIRECT = 'use the direct address of the server';

/**
 * Words for each SQLSTATE that connecting, reading, creating or writing can meet.
 * The first match counts, so the states of a class stand before the rest of their class. A lost
 * reply (08xxx, 57P0x) counts as a failure, because every write can be repeated. The codes are
 * those of "PostgreSQL Error Codes" in PostgreSQL's documentation.
 */
const SQLSTATES: readonly SqlStateWords[] = [
  {
    states: /^08P01$/,
    failureClass: 'transient',
    meaning: 'the two sides did not understand each other',
    remedy: 'Look into the log of the server, and of the pooler where one is between.',
    pooler:
      'A pooler such as PgBouncer says so of a wrong password, of a database or user that its own ' +
      'configuration does not have, of a setting in the database URL that it does not take (options, ' +
      'statement_timeout), where it wants TLS (sslmode=require), and where it has no free connection or ' +
      `does not reach the server: its log says which. Or ${DIRECT}.`,
  },
  {
    states: /^08...$/,
    failureClass: 'transient',
    meaning: 'the connection could not be made or broke',
    remedy: 'Where it goes on, look at the network and at the log of the server.',
    pooler: 'A pooler says so where it does not reach the server behind it.',
  },
  {
    states: /^0A...$/,
    failureClass: 'unknown',
    meaning: 'the server does not support what was asked',
    remedy: `It must be PostgreSQL 15 or newer with pgvector 0.8.0 or newer: ${DOCTOR}`,
    pooler: 'RDS Proxy says so of settings in the database URL (options) and in PGOPTIONS: take them out.',
  },
  {
    states: /^21...$/,
    failureClass: 'unknown',
    meaning: 'one key was met in two rows',
    remedy:
      "Look for doubled keys in the source's table: its unique index may be broken (REINDEX INDEX), or a " +
      'child table may repeat a key.',
  },
  {
    states: /^22...$/,
    failureClass: 'item',
    meaning: 'a value of one row was refused',
    remedy: `Look at the row: ${FRESHET} failures`,
    connecting: refuseSetting,
  },
  {
    states: /^23...$/,
    failureClass: 'item',
    meaning: 'a value of one row breaks a constraint',
    remedy: `Look at the row: ${FRESHET} failures`,
  },
  {
    states: /^25006$/,
    failureClass: 'stop',
    meaning: 'the database takes no writes: it is a standby, or read-only',
    remedy: 'Name the primary server, or set default_transaction_read_only to off for the role.',
  },
  {
    states: /^25P0[34]$/,
    failureClass: 'unknown',
    meaning: 'a transaction was open for longer than the role may hold one open',
    remedy: 'Raise idle_in_transaction_session_timeout and transaction_timeout of the role.',
  },
  {
    states: /^(25...|26...|42P05)$/,
    failureClass: 'unknown',
    meaning: 'the session was not in the state in which it was left',
    remedy: `A pooler in transaction mode mixes sessions up: ${DIRECT}, or its session mode.`,
  },
  {
    states: /^28...$/,
    failureClass: 'stop',
    meaning: 'the login was refused',
    remedy: 'Check user, password and pg_hba.conf.',
    connecting: ({ server, user }) => ({
      message:
        `${server} refused user "${user}": wrong password, or pg_hba.conf does not let this user in, from ` +
        'here or without TLS (sslmode=require). Check user and password of the database URL.',
    }),
  },
  {
    states: /^3D...$/,
    failureClass: 'unknown',
    meaning: 'the database is not there',
    remedy: 'Check its name.',
    connecting: ({ server, database }) => ({
      message: `${server} has no database "${database}". Check the name at the end of the database URL.`,
      statement: `CREATE DATABASE ${quote(database)};`,
    }),
    pooler: 'A pooler says so of a database that its own configuration does not have.',
  },
  {
    states: /^3F...$/,
    failureClass: 'unknown',
    meaning: 'a schema is not there',
    remedy: `Bring it back, or name another one in the configuration: ${DOCTOR}`,
  },
  {
    states: /^(40001|40003|40P01)$/,
    failureClass: 'transient',
    meaning: 'another transaction was in the way',
    remedy: 'Where it goes on, look for long transactions of the application.',
  },
  {
    states: /^40...$/,
    failureClass: 'unknown',
    meaning: 'the server rolled the transaction back',
    remedy: 'Look into the log of the server.',
  },
  {
    states: /^42501$/,
    failureClass: 'stop',
    meaning: 'the role lacks a right',
    remedy: `The GRANT is printed by: ${DOCTOR}`,
    connecting: ({ server, user, database }) => ({
      message:
        `${server} does not let user "${user}" connect to database "${database}", or not with a setting ` +
        'that the database URL or PGOPTIONS asks for.',
      statement: `GRANT CONNECT ON DATABASE ${quote(database)} TO ${quote(user)};`,
    }),
  },
  {
    states: /^(42P01|42703)$/,
    failureClass: 'stop',
    meaning: 'a table or a column is not there',
    remedy: `Bring it back, or change the configuration: ${DOCTOR}`,
  },
  {
    states: /^(42704|42883)$/,
    failureClass: 'unknown',
    meaning: 'a type, an operator or a function is not there, or not for this role',
    remedy: `pgvector must be in this database and the role needs USAGE on its schema: ${DOCTOR}`,
    connecting: refuseSetting,
  },
  {
    states: /^(42P0[3467]|4271[02]|42723)$/,
    failureClass: 'unknown',
    meaning: 'something of this name exists already',
    remedy: `Another run may have made it meanwhile; run again, or see: ${DOCTOR}`,
  },
  {
    states: /^42...$/,
    failureClass: 'unknown',
    meaning: 'the server does not take the statement',
    remedy: `Its version, pgvector's or the table may not be as expected: ${DOCTOR}`,
  },
  {
    states: /^53100$/,
    failureClass: 'stop',
    meaning: 'the disk of the server is full',
    remedy: 'Free space on it, or enlarge it.',
  },
  {
    states: /^53200$/,
    failureClass: 'unknown',
    meaning: 'the server has no memory left',
    remedy: 'Lower --concurrency and --batch-size, or give the server more memory.',
  },
  {
    states: /^53300$/,
    failureClass: 'transient',
    meaning: 'the server has no free connection',
    remedy: 'Lower --concurrency, or raise max_connections, or the CONNECTION LIMIT of role or database.',
    connecting: ({ server }) => ({
      message:
        `${server} has no free connection. Lower --concurrency, or raise max_connections, or the ` +
        'CONNECTION LIMIT of role or database (of a pooler: the size of its pool).',
    }),
  },
  {
    states: /^53...$/,
    failureClass: 'unknown',
    meaning: 'the server is out of a resource, or a configured limit is reached',
    remedy: 'Lower --concurrency, and look into the log of the server.',
    pooler:
      'A hosted database or its pooler says so where the connections, the space or the time of its plan ' +
      'are used up: its console shows which.',
  },
  {
    states: /^54...$/,
    failureClass: 'unknown',
    meaning: 'the statement is beyond a limit of the server',
    remedy: 'Lower --batch-size, or limits.batchSize in the configuration.',
  },
  {
    states: /^55P03$/,
    failureClass: 'transient',
    meaning: 'a lock was not to be had in time',
    remedy: 'Where it goes on, look for long transactions of the application.',
  },
  {
    states: /^55...$/,
    failureClass: 'unknown',
    meaning: 'what was asked for is not in a state that allows it',
    remedy: 'Look into the log of the server.',
    pooler: 'A pooler says so of a database that it has paused or disabled: resume it there.',
    connecting: ({ server, user, database }) => ({
      message:
        `${server} takes no connections of user "${user}" to database "${database}" at present. Name ` +
        'another database, or let the owner of this one run the statement below.',
      statement: `ALTER DATABASE ${quote(database)} ALLOW_CONNECTIONS true;`,
    }),
  },
  {
    states: /^57014$/,
    failureClass: 'transient',
    meaning: 'the statement was cancelled or took longer than the role may',
    remedy: 'Where it goes on, raise statement_timeout of the role.',
  },
  {
    states: /^57P0[1235]$/,
    failureClass: 'transient',
    meaning: 'the server is starting up, shutting down or ended the session',
    remedy: 'Where it goes on, look into the log of the server.',
    connecting: ({ server }) => ({
      message: `${server} is starting up or shutting down. Try again in a moment.`,
    }),
  },
  {
    states: /^57...$/,
    failureClass: 'unknown',
    meaning: 'an operator of the server intervened, or the database was dropped',
    remedy: 'Look into the log of the server.',
  },
  {
    states: /^58...$/,
    failureClass: 'unknown',
    meaning: 'the server could not read or write a file of its own',
    remedy: 'Look at its disk and into its log.',
  },
  {
    states: /^XX00[12]$/,
    failureClass: 'unknown',
    meaning: 'a table or an index of the server is damaged',
    remedy: 'Its log names which: REINDEX an index, restore a table.',
  },
  {
    states: /^XX...$/,
    failureClass: 'unknown',
    meaning: 'the server, or a pooler in front of it, failed inside',
    remedy: 'Look into the log of the server.',
    pooler:
      'A pooler such as Supavisor says so of a tenant or user that it does not know, and where all its ' +
      "connections are taken: the user may have to carry the project's name (postgres.PROJECT), the host " +
      `must be that of the project's region; or ${DIRECT}.`,
  },
];

/** Finds the words for a SQLSTATE; undefined for a state that is in no class of the table. */
export function wordsOfSqlState(sqlState: string): SqlStateWords | undefined {
  return SQLSTATES.find(({ states }) => states.test(sqlState));
}

/** The words for a session that was refused for what is set in it. */
function refuseSetting({ server, user, database }: ConnectionTarget): { readonly message: string } {
  return {
    message:
      `${server} refused a setting for user "${user}" in database "${database}". Look at options of the ` +
      'database URL and at PGOPTIONS.',
  };
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
