import { expect, it } from 'vitest';
import { checkBaseUrl, checkVersionedUrl } from '../../../lib/adapters/network/addresses.ts';
import { UsageError } from '../../../lib/core/errors.ts';

it.each([
  ['https://api.openai.com/v1/', 'https://api.openai.com/v1'],
  ['http://localhost:11434/v1', 'http://localhost:11434/v1'],
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ['http://[::1]:8080/v1', 'http://[::1]:8080/v1'],
])('accepts %s', (given, expected) => {
  expect(checkBaseUrl(given)).toBe(expected);
});

it.each([
  'not a url',
  '',
  'ftp://localhost/v1',
  'file:///etc/passwd',
  'http://api.openai.com/v1',
  'http://10.0.0.5/v1',
  'http://localhost.example.com/v1',
  'https://169.254.169.254/latest',
  'http://169.254.169.254/latest',
  'https://0xA9FEA9FE/v1',
  'https://2852039166/v1',
  'https://169.254.169.254./v1',
  'https://[fe80::1]/v1',
  'https://[::ffff:169.254.169.254]/v1',
  'https://[fd00:ec2::254]/v1',
  'https://metadata.google.internal/v1',
  'https://METADATA.google.internal./v1',
  'https://user:canary-secret@api.openai.com/v1',
  'https://api.openai.com/v1?key=canary-secret',
  'http://0.0.0.0:80/v1',
])('refuses %s and does not repeat it', given => {
  let message = '';
  try {
    checkBaseUrl(given);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    message = (error as Error).message;
  }
  expect(message).toContain('base URL');
  expect(message).not.toContain('canary');
});

it.each([
  'http://ollama:11434',
  'http://192.168.1.20:11434',
  'http://10.0.0.5/v1',
  'http://172.31.255.255',
  'http://[fd12:3456::1]:8080/v1',
  'http://[::ffff:192.168.1.20]:8080',
  'http://0xC0A80114:11434',
  'http://models.lan',
  'http://127.0.0.1:8080',
  'https://api.openai.com/v1',
])('refuses no %s of a model with allowHttp', given => {
  expect(checkBaseUrl(given, { allowHttp: true })).toBe(new URL(given).href.replace(/\/+$/, ''));
  expect(checkVersionedUrl(given, { allowHttp: true }).apiVersion).toBeUndefined();
});

it.each([
  'http://203.0.113.7/v1',
  'http://8.8.8.8',
  'http://172.32.0.1',
  'http://100.64.0.1',
  'http://[2001:db8::1]',
  'http://169.254.169.254/latest',
  'http://169.254.1.1',
  'http://[fd00:ec2::254]',
  'http://[fe80::1]',
  'http://[::ffff:169.254.169.254]',
  'http://0.0.0.0:80',
  'http://metadata.google.internal',
  'http://user:canary@192.168.1.20',
  'ftp://192.168.1.20',
])('refuses %s although the model has allowHttp', given => {
  expect(() => checkBaseUrl(given, { allowHttp: true })).toThrow(/^(?!.*canary).*base URL/);
});

it.each(['http://ollama:11434', 'http://192.168.1.20:11434'])('names the key that allows %s', given => {
  expect(() => checkBaseUrl(given)).toThrow(/allowHttp: true/);
  expect(() => checkBaseUrl(given, { allowHttp: false })).toThrow(/allowHttp: true/);
});

const AZURE = 'https://acme.openai.azure.com/openai/deployments/emb';

it.each([
  [`${AZURE}?api-version=2024-02-01`, { baseUrl: AZURE, apiVersion: '2024-02-01' }],
  [`${AZURE}/?api-version=2025-01-01-preview`, { baseUrl: AZURE, apiVersion: '2025-01-01-preview' }],
  [`${AZURE}/embeddings?api-version=2024-02-01`, { baseUrl: AZURE, apiVersion: '2024-02-01' }],
  ['https://api.openai.com/v1/', { baseUrl: 'https://api.openai.com/v1', apiVersion: undefined }],
])('takes the version of Azure from %s', (given, expected) => {
  expect(checkVersionedUrl(given)).toEqual(expected);
});

it.each([
  `${AZURE}?api-version=2024-02-01&key=canary-secret`,
  `${AZURE}?key=canary-secret`,
  `${AZURE}?api-version=canary%20secret`,
  `${AZURE}?api-version=2024-02-01#canary`,
  `http://10.0.0.5/deployments/emb?api-version=2024-02-01`,
])('takes no other query, and repeats nothing of %s', given => {
  expect(() => checkVersionedUrl(given)).toThrow(/^(?!.*canary).*base URL/);
});
