CREATE TABLE users ( email TEXT, external_id TEXT, id TEXT NOT NULL, created_at TIMESTAMP WITH TIME ZONE NOT NULL, updated_at TIMESTAMP WITH TIME ZONE     
CREATE INDEX ix_users_created_at ON users (created_at, id);                                                                                                     
CREATE INDEX ix_users_email ON users (lower(email), created_at, id);                                                                                            
CREATE INDEX ix_users_external_id ON users (external_id) WHERE external_id IS NOT NULL;                                                                         
CREATE INDEX ix_users_live ON users (created_at, id) WHERE deleted_at IS NULL;                                                                                  
