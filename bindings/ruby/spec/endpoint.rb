# frozen_string_literal: true

require 'json'
require 'net/http'

REPOSITORY = File.expand_path('../../..', __dir__)
TABLE = 'flags'
SECRET = 'secret-that-must-not-show'

# A DynamoDB endpoint with its tables ready, as a process that ends with this one.
class Endpoint
  class << self
    # +flagstore-local+: the file that FLAGSTORE_LOCAL names, or the one of the release build.
    def local
      @local ||= started(program, '--table', TABLE)
    end

    # npm's dynalite.
    #
    # @return [Endpoint, nil] nil where it cannot be run; see {missing_for_dynalite}
    def dynalite
      @dynalite ||= started("#{REPOSITORY}/tests/dynalite/start", '--table', TABLE) unless missing_for_dynalite.any?
    end

    def missing_for_dynalite
      %w[node npm].reject { |name| ENV['PATH'].split(':').any? { |folder| File.executable?("#{folder}/#{name}") } }
    end

    # The endpoint that fails when it is told to, in front of {local}.
    def faults
      @faults ||= begin
        process, ready = start("#{REPOSITORY}/tests/faults/endpoint", '--upstream', local.url)
        Faults.new(ready['url'], process, ready['control'])
      end
    end

    def end_all
      [@faults, @local, @dynalite].compact.each(&:stop)
      @faults = @local = @dynalite = nil
    end

    private

    def program
      path = ENV['FLAGSTORE_LOCAL'].to_s
      path = "#{REPOSITORY}/target/release/flagstore-local" if path.empty?
      return path if File.file?(path)

      raise "there is no #{path}: build flagstore-local, or name it in FLAGSTORE_LOCAL"
    end

    def started(*command)
      process, ready = start(*command)
      new(ready['url'], process)
    end

    def start(*command)
      process = IO.popen([*command, '--exit-with-stdin'], 'r+')
      line = process.gets or raise "#{command.first} ended before it was ready"
      [process, JSON.parse(line)]
    end
  end

  attr_reader :url

  def initialize(url, process = nil)
    @url = url
    @process = process
  end

  # What Flagstore::Store needs to use it, besides the table.
  def options
    { endpoint: url, region: 'us-east-1', access_key_id: 'test', secret_access_key: SECRET }
  end

  # What Aws::DynamoDB::Client needs to use it, and so the :dynamodb_opts of the SDK: the same.
  alias dynamodb_opts options

  def stop
    @process.close_write
    @process.close
  end

  # One request past the library, signed in form only.
  def ask(operation, request)
    headers = {
      'Content-Type' => 'application/x-amz-json-1.0', 'X-Amz-Target' => "DynamoDB_20120810.#{operation}",
      'X-Amz-Date' => '20260101T000000Z',
      'Authorization' => 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, ' \
                         'SignedHeaders=host, Signature=0'
    }
    answer = Net::HTTP.post(URI(url), JSON.generate(request), headers)
    raise "#{operation}: #{answer.code} #{answer.body}" unless answer.is_a?(Net::HTTPOK)

    JSON.parse(answer.body)
  end
end

# The fault-injecting endpoint and its control; its README has the rules, actions and requests.
class Faults < Endpoint
  def initialize(url, process, control)
    super(url, process)
    @control = control
  end

  def script(*rules)
    control('script', rules: rules)
  end

  def reset
    control('reset')
  end

  def release
    control('release')
  end

  # Waits for the +count+-th request that met this action.
  def wait_for(action, count: 1)
    control('wait', count: count, action: action)
  end

  def requests
    control('log')['requests']
  end

  private

  def control(path, **request)
    answer = Net::HTTP.post(URI("#{@control}/#{path}"), JSON.generate(request), 'Content-Type' => 'application/json')
    raise "#{path}: #{answer.code} #{answer.body}" unless answer.is_a?(Net::HTTPOK)

    JSON.parse(answer.body)
  end
end
