return {'ok', holdings('')} -- of no account: all together are the last two
