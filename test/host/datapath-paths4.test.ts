// timeout: 180 s

// Real packets on all paths of the datapath, over an IPv4 underlay.

import { packetPathScenarios } from './support/packet-paths.js';

packetPathScenarios(false);
