import { createInProcessObjectStore } from '../../../lib/adapters/memory/in-process-object-store.ts';
import { describeObjectStoreContract } from '../../contracts/describe-object-store-contract.ts';

describeObjectStoreContract('the in-process store', async () => createInProcessObjectStore());
